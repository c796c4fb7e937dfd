/** The canvas: draws with mouse, finger, pen and keys. */

import { apply, determinant, invert } from "./geometry.js";

/** The right button and the pen's other end, as `button` and as a bit of `buttons`. */
const ERASERS = { button: [2, 5], buttons: 2 | 32 };
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Draw on a canvas. `getDrawing`, `getMap` (from the drawing to what is shown) and `getBrush`
 * ({radius, isEraser}) say with what; `onChange(hasInk)` is told of ink, and of the pen's place alone.
 * Returns {cursor, lift}: where the pen is shown, and what ends a stroke.
 */
export function startPad({ canvas, status, getDrawing, getMap, getBrush, onChange }) {
  let pointer = null;
  let hover = null;
  let key = null;
  let lastRadius = 0;

  /** A point of the drawing for one that is shown, with a radius that looks as the brush does. */
  function pointAt({ x, y }, pressure = 1) {
    const map = getMap();
    lastRadius = (pressure * getBrush().radius) / Math.sqrt(determinant(map));
    return [...apply(invert(map), x, y), lastRadius];
  }

  function placeOf(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const [rows, columns] = getDrawing().shape;
    return { x: ((event.clientX - left) / width) * columns, y: ((event.clientY - top) / height) * rows };
  }

  function lift() {
    pointer = null;
    if (key) key.isDown = false;
    onChange(false);
  }

  function on(name, listener) {
    canvas.addEventListener(name, (event) => (pointer === null || event.pointerId === pointer) && listener(event));
  }

  on("pointerdown", (event) => {
    if (pointer !== null || ![0, ...ERASERS.button].includes(event.button)) return;
    lift();
    key = null;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    const isEraser = getBrush().isEraser || (event.buttons & ERASERS.buttons) !== 0;
    getDrawing().begin(pointAt(placeOf(event), pressureOf(event)), isEraser);
    onChange(true);
  });
  on("pointermove", (event) => {
    hover = event.pointerType === "touch" ? null : placeOf(event);
    if (pointer === null) return onChange(false);
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) getDrawing().extend(pointAt(placeOf(one), pressureOf(one)));
    return onChange(true);
  });
  on("pointerup", (event) => {
    if (pointer === null) return;
    // A lifted pen presses no more.
    const radius = lastRadius;
    getDrawing().extend([...pointAt(placeOf(event)).slice(0, 2), radius]);
    onChange(true);
    lift();
  });
  on("pointercancel", lift);
  on("lostpointercapture", lift);
  on("pointerleave", () => {
    hover = null;
    onChange(false);
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const isToggle = event.key === " " || event.key === "Enter";
    const isOurs = step || isToggle || event.key === "Escape";
    if (!isOurs || event.ctrlKey || event.metaKey || event.altKey || pointer !== null) return;
    event.preventDefault();
    const [rows, columns] = getDrawing().shape;
    key ??= { x: Math.floor(columns / 2) + 0.5, y: Math.floor(rows / 2) + 0.5, isDown: false };
    if (step) {
      key.x = Math.min(columns - 0.5, Math.max(0.5, key.x + step[0]));
      key.y = Math.min(rows - 0.5, Math.max(0.5, key.y + step[1]));
      if (key.isDown) getDrawing().extend(pointAt(key));
    } else if (!event.repeat) {
      key.isDown = isToggle && !key.isDown;
      if (key.isDown) getDrawing().begin(pointAt(key), getBrush().isEraser);
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
      const place = key ?? hover;
      return place && { ...place, radius: getBrush().radius, isKeyboard: key !== null };
    },
  };
}

/** How wide a stroke becomes: pens say how hard they press. */
function pressureOf(event) {
  return event.pointerType === "pen" && event.pressure > 0 ? 0.4 + 1.2 * event.pressure : 1;
}
