/** Draws an image for networks whose inputs are one. */

import { startSliders } from "./adjust.js";
import { Drawing, UNCHANGED } from "./drawing.js";
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
  const [eraser, undo, redo, clear, brush] = ["eraser", "undo", "redo", "clear", "brush"].map(find);
  const [asPixels, asStrokes] = ["show-pixels", "show-strokes"].map(find);
  let [drawing, scale, sliders, values] = [null, scaleOf(null), null, UNCHANGED];
  let isScheduled = false;
  let isStale = true;
  let rendered = null;

  /** Show what has changed in the next frame; with `hasInk`, to the others too. */
  function change(hasInk) {
    isStale ||= hasInk;
    if (isScheduled) return;
    isScheduled = true;
    requestAnimationFrame(() => {
      isScheduled = false;
      if (root.hidden) return;
      if (isStale) rendered = drawing.render(values);
      const isFine = isPressed(asStrokes);
      paint(canvas, isFine ? rendered.points : rendered.pixels, drawing.shape, {
        grid: !isFine,
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

  const side = () => Math.max(...drawing.shape);
  const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
  const press = (button, isOn) => button.setAttribute("aria-pressed", String(isOn));
  const pad = startPad({
    canvas,
    status,
    getDrawing: () => drawing,
    getMap: () => mapOf(values, drawing.shape),
    getBrush: () => ({
      radius: ((Number(brush.value) / 2) * side()) / USUAL_SIDE,
      isEraser: isPressed(eraser),
    }),
    onChange: change,
  });

  function act(action) {
    pad.lift();
    action();
    change(true);
  }

  function showBrush() {
    const width = (Number(brush.value) * side()) / USUAL_SIDE;
    find("brush-width").value = `${width.toFixed(1)} px`;
    change(false);
  }

  function begin(shape) {
    drawing = new Drawing(shape);
    canvas.style.aspectRatio = `${shape[1]} / ${shape[0]}`;
    sliders = startSliders({
      root,
      shape,
      onChange(changed) {
        values = changed;
        change(true);
      },
    });
    showBrush();
  }

  eraser.addEventListener("click", () => press(eraser, !isPressed(eraser)));
  undo.addEventListener("click", () => act(() => drawing.undo()));
  redo.addEventListener("click", () => act(() => drawing.redo()));
  clear.addEventListener("click", () => act(() => drawing.replace(null)));
  brush.addEventListener("input", showBrush);
  for (const button of [asPixels, asStrokes]) {
    button.addEventListener("click", () => {
      for (const one of [asPixels, asStrokes]) press(one, one === button);
      change(false);
    });
  }
  document.addEventListener("keydown", (event) => {
    const isHere = event.target === document.body || root.contains(event.target);
    if (!(event.ctrlKey || event.metaKey) || !isHere || root.hidden) return;
    const name = event.key.toLowerCase();
    if (name !== "z" && name !== "y") return;
    event.preventDefault();
    act(() => (name === "y" || event.shiftKey ? drawing.redo() : drawing.undo()));
  });
  begin([USUAL_SIDE, USUAL_SIDE]);

  return {
    /** Draw for another network; what is drawn stays if its images have the same shape. */
    show(network) {
      scale = scaleOf(network);
      if (String(network.shape) !== String(drawing.shape)) begin(network.shape);
      change(true);
    },

    /** Begin with an image: {pixels, name, isAlone}; when alone, without what the sliders say. */
    load({ pixels, name, isAlone }) {
      if (pixels.length !== drawing.shape[0] * drawing.shape[1]) return;
      if (isAlone) sliders.reset();
      act(() => drawing.replace(scale.toInk(pixels)));
      status.textContent = `${name}, as an image to draw on`;
    },
  };
}
