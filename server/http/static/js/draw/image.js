/** Draws an image for networks whose inputs are one. */

import { startSliders } from "./adjust.js";
import { Drawing } from "./drawing.js";
import { mapOf } from "./geometry.js";
import { startPad } from "./pad.js";
import { paint } from "./paint.js";
import { scaleOf } from "./range.js";

/** A brush's width is that of a pen on an image of this side, whatever the network's. */
const USUAL_SIDE = 28;

/** Draw in `root`; returns {show(network), load(loaded)}. */
export function startImage({ store, root }) {
  const find = (id) => root.querySelector(`#${id}`);
  const [canvas, invite, status] = ["pad", "pad-invite", "pad-status"].map(find);
  const [eraser, undo, redo, clear] = ["eraser", "undo", "redo", "clear"].map(find);
  const [brush, brushWidth] = ["brush", "brush-width"].map(find);
  const views = ["show-pixels", "show-strokes"].map(find);
  const isPressed = (button) => button.ariaPressed === "true";
  const brushOf = () => (Number(brush.value) * Math.max(...drawing.shape)) / USUAL_SIDE;
  let [drawing, scale, values, putBack] = [];
  let rendered = null;
  let isScheduled = false;
  let isStale = true;

  /** Show what has changed in the next frame; with `hasInk`, to the others too. */
  function change(hasInk) {
    isStale ||= hasInk;
    if (isScheduled) return;
    isScheduled = true;
    requestAnimationFrame(() => {
      isScheduled = false;
      if (root.hidden) return;
      if (isStale) rendered = drawing.render(values);
      const isFine = isPressed(views[1]);
      paint(canvas, isFine ? rendered.points : rendered.pixels, drawing.shape, {
        factor: isFine ? drawing.raster.factor : 1,
        isDark: scale.isDark,
        cursor: pad.cursor,
      });
      undo.disabled = !drawing.canUndo;
      redo.disabled = !drawing.canRedo;
      clear.disabled = drawing.isEmpty;
      invite.hidden = !drawing.isEmpty;
      if (isStale) store.set({ pixels: scale.toPixels(rendered.pixels) });
      isStale = false;
    });
  }

  const pad = startPad({
    canvas,
    status,
    getDrawing: () => drawing,
    getMap: () => mapOf(values, drawing.shape),
    getBrush: () => ({ radius: brushOf() / 2, isEraser: isPressed(eraser) }),
    onChange: change,
  });

  function act(action) {
    pad.lift();
    action();
    change(true);
  }

  function showBrush() {
    brushWidth.value = `${brushOf().toFixed(1)} px`;
    change(false);
  }

  function begin(network) {
    const shape = network.shape;
    scale = scaleOf(network);
    change(true);
    if (String(shape) === String(drawing?.shape)) return;
    drawing = new Drawing(shape);
    canvas.style.aspectRatio = `${shape[1]} / ${shape[0]}`;
    putBack = startSliders({
      root,
      shape,
      onChange(changed) {
        values = changed;
        change(true);
      },
    });
    showBrush();
  }

  const actions = {
    undo: () => drawing.go(-1),
    redo: () => drawing.go(1),
    clear: () => drawing.replace(null),
  };
  for (const button of [undo, redo, clear]) button.addEventListener("click", () => act(actions[button.id]));
  eraser.addEventListener("click", () => (eraser.ariaPressed = String(!isPressed(eraser))));
  brush.addEventListener("input", showBrush);
  for (const button of views) {
    button.addEventListener("click", () => {
      for (const view of views) view.ariaPressed = String(view === button);
      change(false);
    });
  }
  document.addEventListener("keydown", (event) => {
    const isHere = (event.target === document.body || root.contains(event.target)) && !root.hidden;
    const name = event.key.toLowerCase();
    if (!isHere || !(event.ctrlKey || event.metaKey) || !"zy".includes(name)) return;
    event.preventDefault();
    act(actions[name === "y" || event.shiftKey ? "redo" : "undo"]);
  });
  // Until it is known which network there is.
  begin({ shape: [USUAL_SIDE, USUAL_SIDE], inputRange: "[0, 1]" });

  return {
    /** Draw for another network; what is drawn stays if its images have the same shape. */
    show: begin,

    /** Begin with an image; when it is alone, without what the sliders say. */
    load({ pixels, name, isAlone }) {
      const [rows, columns] = drawing.shape;
      if (pixels.length !== rows * columns) return;
      if (isAlone) putBack();
      act(() => drawing.replace(scale.toInk(pixels)));
      status.textContent = `${name}, as an image to draw on`;
    },
  };
}
