/** The canvas: draws with mouse, finger, pen and keys. */

import { clamp } from "./raster.js";

/** The right button and the pen's other end, as `button` and as a bit of `buttons`. */
const ERASERS = { button: [2, 5], buttons: 2 | 32 };
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Draw on a canvas. `tools()` says with what: {drawing, map (from it to what is shown), radius, isEraser};
 * `onChange(hasInk)` is told of ink, or of the pen's place alone. Returns {cursor, lift}: where to show the pen,
 * and what ends a stroke.
 */
export function startPad({ canvas, status, tools, onChange }) {
  let pointer = null;
  let hover = null;
  let key = null;

  /** A point of the drawing for a place that is shown; it looks as wide as the brush, or as a pen presses. */
  function pointAt(place, { pointerType, pressure } = {}) {
    const { map, radius } = tools();
    const { a, b, c, d } = map;
    const { x, y } = map.inverse().transformPoint(place);
    const wider = pointerType === "pen" && pressure > 0 ? 0.4 + 1.2 * pressure : 1;
    return [x, y, (wider * radius) / Math.sqrt(a * d - b * c)];
  }

  function placeOf({ clientX, clientY }) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const [rows, columns] = tools().drawing.shape;
    return { x: ((clientX - left) / width) * columns, y: ((clientY - top) / height) * rows };
  }

  const pointOf = (event) => pointAt(placeOf(event), event);

  function lift() {
    pointer = null;
    if (key) key.isDown = false;
    onChange(false);
  }

  const listeners = {
    pointerdown(event) {
      const { button, buttons, pointerId } = event;
      if (pointer !== null || ![0, ...ERASERS.button].includes(button)) return;
      lift();
      key = null;
      pointer = pointerId;
      canvas.setPointerCapture(pointer);
      const { drawing, isEraser } = tools();
      drawing.add({ points: [pointOf(event)], isEraser: isEraser || (buttons & ERASERS.buttons) !== 0 });
      onChange(true);
    },
    pointermove(event) {
      hover = event.pointerType === "touch" ? null : placeOf(event);
      if (pointer !== null) {
        const events = event.getCoalescedEvents?.() ?? [];
        for (const one of events.length ? events : [event]) tools().drawing.extend(pointOf(one));
      }
      onChange(pointer !== null);
    },
    pointerup: lift,
    lostpointercapture: lift,
    pointerleave() {
      hover = null;
      onChange(false);
    },
    keydown(event) {
      const step = STEPS[event.key];
      const isToggle = event.key === " " || event.key === "Enter";
      const isOurs = step || isToggle || event.key === "Escape";
      if (!isOurs || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const { drawing, isEraser } = tools();
      const [rows, columns] = drawing.shape;
      key ??= { x: Math.floor(columns / 2) + 0.5, y: Math.floor(rows / 2) + 0.5, isDown: false };
      if (step) {
        key.x = clamp(key.x + step[0], 0.5, columns - 0.5);
        key.y = clamp(key.y + step[1], 0.5, rows - 0.5);
        if (key.isDown) drawing.extend(pointAt(key));
      } else if (!event.repeat) {
        key.isDown = isToggle && !key.isDown;
        if (key.isDown) drawing.add({ points: [pointAt(key)], isEraser });
      }
      const tool = `${isEraser ? "eraser" : "pen"} ${key.isDown ? "down" : "up"}`;
      status.textContent = `row ${key.y + 0.5}, column ${key.x + 0.5}, ${tool}`;
      onChange(key.isDown);
    },
    blur() {
      key = null;
      onChange(false);
    },
  };
  for (const [name, listener] of Object.entries(listeners)) {
    // While one pointer draws, nothing else does.
    canvas.addEventListener(name, (event) => (pointer ?? event.pointerId) === event.pointerId && listener(event));
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  return {
    lift,
    get cursor() {
      const place = key ?? hover;
      return place && { ...place, radius: tools().radius, isKeyboard: key !== null };
    },
  };
}
