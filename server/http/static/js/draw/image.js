/** Draws an image for networks whose inputs are one. */

import { byId, startChoice } from "../elements.js";
import { startSliders } from "./adjust.js";
import { Drawing, mapOf } from "./drawing.js";
import { startPad } from "./pad.js";
import { paint } from "./paint.js";
import { scaleOf } from "./range.js";

/** A brush's width is that of a pen on an image of this side, whatever the network's. */
const USUAL_SIDE = 28;

export function startImage(store, root) {
  const { pad: canvas, padInvite, padStatus, undo, redo, eraser, clear, brush, brushWidth } = byId;
  const isErasing = () => eraser.ariaPressed === "true";
  const brushOf = () => (brush.valueAsNumber * Math.max(...drawing.shape)) / USUAL_SIDE;
  let [drawing, scale, values, putBack, rendered] = [];
  let frame = 0;
  let isStale = true;
  let isFine = false;

  /** Show what has changed in the next frame; with `hasInk`, to the others too. */
  function change(hasInk) {
    isStale ||= hasInk;
    frame ||= requestAnimationFrame(show);
  }

  function show() {
    frame = 0;
    if (root.hidden) return;
    if (isStale) rendered = drawing.render(values);
    const [ink, factor] = isFine ? [rendered.points, drawing.raster.factor] : [rendered.pixels, 1];
    paint(canvas, ink, drawing.shape, { factor, isDark: scale.isDark, cursor: pad.cursor });
    undo.disabled = !drawing.done;
    redo.disabled = drawing.done === drawing.steps.length;
    clear.disabled = drawing.isEmpty;
    padInvite.hidden = !drawing.isEmpty;
    brushWidth.value = `${brushOf().toFixed(1)} px`;
    if (isStale) store.set({ pixels: scale.toPixels(rendered.pixels) });
    isStale = false;
  }

  const pad = startPad({
    canvas,
    status: padStatus,
    tools: () => ({ drawing, map: mapOf(values, drawing.shape), radius: brushOf() / 2, isEraser: isErasing() }),
    onChange: change,
  });

  function act(action) {
    pad.lift();
    action();
    change(true);
  }

  function begin(network) {
    scale = scaleOf(network);
    change(true);
    const { shape } = network;
    if (String(shape) === String(drawing?.shape)) return;
    drawing = new Drawing(shape);
    canvas.style.aspectRatio = `${shape[1]} / ${shape[0]}`;
    putBack = startSliders(shape, (changed) => {
      values = changed;
      change(true);
    });
  }

  const go = (steps) => act(() => drawing.go(steps));
  undo.onclick = () => go(-1);
  redo.onclick = () => go(1);
  clear.onclick = () => act(() => drawing.add({ image: [] }));
  eraser.onclick = () => (eraser.ariaPressed = !isErasing());
  brush.oninput = () => change(false);
  startChoice(root.querySelector(".segments"), (value) => {
    isFine = value === "strokes";
    change(false);
  });
  document.addEventListener("keydown", (event) => {
    const isHere = !root.hidden && (event.target === document.body || root.contains(event.target));
    const steps = { z: event.shiftKey ? 1 : -1, y: 1 }[event.key.toLowerCase()];
    if (!isHere || !steps || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    go(steps);
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
      act(() => drawing.add({ image: scale.toInk(pixels) }));
      padStatus.textContent = `${name}, as an image to draw on`;
    },
  };
}
