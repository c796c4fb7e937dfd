/**
 * Canvases that fit their boxes, at the screen's resolution. All that have changed are drawn in one frame, those out
 * of sight when they come into sight: what nobody sees costs nothing.
 */

import { element } from "../../../js/elements.js";
import { fontSize, onColours } from "./colours.js";

/** What is drawn before it is scrolled into sight. */
const MARGIN = "200px";

const pictures = new Set();
const byCanvas = new WeakMap();
let frame = 0;

const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const picture = byCanvas.get(target);
    [picture.width, picture.height] = [contentRect.width, contentRect.height];
    picture.draw();
  }
});
const sights = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const picture = byCanvas.get(target);
      picture.isSeen = isIntersecting;
      if (isIntersecting && !picture.isPainted) schedule();
    }
  },
  { rootMargin: MARGIN },
);

/**
 * Make a canvas: {canvas, draw()}, where draw has it drawn in the next frame: `say()` writes what stands beside it,
 * and `paint(context, width, height)` paints it when it is seen.
 */
export function createPicture({ say, paint }) {
  const canvas = element("canvas", { ariaHidden: "true" });
  const picture = { canvas, say, paint, width: 0, height: 0, isSeen: false, isSaid: false, isPainted: false, draw };
  function draw() {
    picture.isSaid = picture.isPainted = false;
    // Those that have left the document are forgotten, and remembered when they are drawn again.
    pictures.add(picture);
    schedule();
  }
  byCanvas.set(canvas, picture);
  sizes.observe(canvas);
  sights.observe(canvas);
  return picture;
}

/** Draw all of them again: the pointer, or the colours have changed. */
export function drawAll() {
  for (const { draw } of pictures) draw();
}

function schedule() {
  frame ||= requestAnimationFrame(() => paintDue());
}

function paintDue(isAll = false) {
  frame = 0;
  for (const picture of pictures) {
    if (!picture.canvas.isConnected) {
      pictures.delete(picture);
      continue;
    }
    if (!picture.isSaid) picture.say();
    picture.isSaid = true;
    if (!picture.isPainted && picture.width && (picture.isSeen || isAll)) paintOne(picture);
  }
}

function paintOne(picture) {
  picture.isPainted = true;
  const { canvas, width, height } = picture;
  const ratio = devicePixelRatio;
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d");
  if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
  else context.reset();
  context.scale(columns / width, rows / height);
  context.font = `${fontSize()}px system-ui, sans-serif`;
  picture.paint(context, width, height);
}

onColours(drawAll);
matchMedia("print").addEventListener("change", () => {
  drawAll();
  // No frame comes before the paper.
  paintDue(true);
});
