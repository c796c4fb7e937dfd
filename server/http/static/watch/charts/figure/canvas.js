/**
 * Canvases that fit their boxes, at the screen's resolution. All that have changed are drawn in one frame. New values
 * are drawn out of sight as well; where the pointer is, only in sight, or when that is scrolled to.
 */

import { element } from "../../../js/elements.js";
import { fontSize, onColours } from "./colours.js";

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
const sights = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const picture = byCanvas.get(target);
    picture.isSeen = isIntersecting;
    if (isIntersecting && !picture.isPainted) schedule();
  }
});

/**
 * Make a canvas: {canvas, draw()}, where draw has it drawn in the next frame: `say()` writes what stands beside it,
 * and `paint(context, width, height)` paints it.
 */
export function createPicture({ say, paint }) {
  const canvas = element("canvas", { ariaHidden: "true" });
  const picture = { canvas, say, paint, width: 0, height: 0, isSeen: false, isNew: true, draw };
  function draw() {
    picture.isNew = true;
    // Those that have left the document are forgotten, and remembered when they are drawn again.
    pictures.add(picture);
    change(picture);
  }
  byCanvas.set(canvas, picture);
  sizes.observe(canvas);
  sights.observe(canvas);
  return picture;
}

/** Draw those in sight again, and the others once they are: the pointer, or the colours have changed. */
export function drawAll() {
  for (const picture of pictures) change(picture);
}

function change(picture) {
  picture.isSaid = picture.isPainted = false;
  schedule();
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
    if (!picture.isPainted && picture.width && (picture.isSeen || picture.isNew || isAll)) paintOne(picture);
  }
}

function paintOne(picture) {
  [picture.isPainted, picture.isNew] = [true, false];
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
