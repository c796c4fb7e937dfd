/** The canvas: draws with mouse, finger, pen and keys, and says what to show where the pen is. */

import { apply, determinant, invert } from "./geometry.js";

const ERASES = { buttons: 2 | 32, button: [2, 5] };
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Draw on a canvas. `getDrawing`, `getMap` (from the drawing to what is shown) and `getBrush`
 * ({radius, isEraser}) tell with what; `onChange(hasInk)` is called when something has changed, with
 * false for the pen's place alone. Returns {cursor, lift}: {x, y, radius, isKeyboard} or null, and what
 * ends a stroke.
 */
export function startPad({ canvas, status, getDrawing, getMap, getBrush, onChange }) {
  let pointer = null;
  let lastRadius = 0;
  let hover = null;
  let key = null;

  /** A point of the drawing that is shown at x, y, with a radius that looks as the brush does. */
  function pointAt([x, y], pressure = 1) {
    const map = getMap();
    const radius = (pressure * getBrush().radius) / Math.sqrt(determinant(map));
    return [...apply(invert(map), x, y), radius];
  }

  function placeOf(event) {
    const box = canvas.getBoundingClientRect();
    const [rows, columns] = getDrawing().shape;
    return [((event.clientX - box.left) / box.width) * columns, ((event.clientY - box.top) / box.height) * rows];
  }

  function lift() {
    pointer = null;
    if (key?.isDown) key.isDown = false;
    onChange(false);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || ![0, ...ERASES.button].includes(event.button)) return;
    lift();
    key = null;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    const point = pointAt(placeOf(event), pressureOf(event));
    lastRadius = point[2];
    getDrawing().begin(point, getBrush().isEraser || (event.buttons & ERASES.buttons) !== 0);
    onChange(true);
  });
  canvas.addEventListener("pointermove", (event) => {
    hover = event.pointerType === "touch" ? null : placeOf(event);
    if (event.pointerId === pointer) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length ? events : [event]) {
        const point = pointAt(placeOf(one), pressureOf(one));
        lastRadius = point[2];
        getDrawing().extend(point);
      }
    }
    onChange(event.pointerId === pointer);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (event.pointerId !== pointer) return;
    // A lifted pen presses no more.
    const [x, y] = pointAt(placeOf(event));
    getDrawing().extend([x, y, lastRadius]);
    onChange(true);
    lift();
  });
  for (const name of ["pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(name, (event) => event.pointerId === pointer && lift());
  }
  canvas.addEventListener("pointerleave", () => {
    hover = null;
    onChange(false);
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    const isToggle = event.key === " " || event.key === "Enter";
    if (!step && !isToggle && event.key !== "Escape") return;
    event.preventDefault();
    const [rows, columns] = getDrawing().shape;
    key ??= { x: Math.floor(columns / 2) + 0.5, y: Math.floor(rows / 2) + 0.5, isDown: false };
    if (step) {
      key.x = Math.min(columns - 0.5, Math.max(0.5, key.x + step[0]));
      key.y = Math.min(rows - 0.5, Math.max(0.5, key.y + step[1]));
      if (key.isDown) getDrawing().extend(pointAt([key.x, key.y]));
    } else if (isToggle && !event.repeat && pointer === null) {
      key.isDown = !key.isDown;
      if (key.isDown) getDrawing().begin(pointAt([key.x, key.y]), getBrush().isEraser);
    } else if (event.key === "Escape") {
      key.isDown = false;
    }
    const tool = getBrush().isEraser ? "eraser" : "pen";
    status.textContent = `row ${key.y + 0.5}, column ${key.x + 0.5}, ${tool} ${key.isDown ? "down" : "up"}`;
    onChange(key.isDown);
  });
  canvas.addEventListener("blur", () => {
    key = null;
    onChange(false);
  });

  return {
    lift,
    get cursor() {
      const radius = getBrush().radius;
      if (key) return { x: key.x, y: key.y, radius, isKeyboard: true };
      return hover && { x: hover[0], y: hover[1], radius, isKeyboard: false };
    },
  };
}

/** How wide a stroke becomes: pens say how hard they press, others don't. */
function pressureOf(event) {
  return event.pointerType === "pen" && event.pressure > 0 ? 0.4 + 1.2 * event.pressure : 1;
}
