/** A grid of numbers on a canvas: the larger, the brighter; negative ones in a colour of their own, with a stripe. */

import { element } from "../elements.js";
import { colours } from "../watch/colours.js";
import { cellsBetween } from "./cells.js";

const CANVAS_SIDE = 560;
/** How much of a cell is seen whose number is 0. */
const EMPTY = 0.05;
/** Brightness is size to this power, for weights: few of them are large. */
const SOFT = 0.7;

/**
 * Make a grid of `rows` x `columns` cells, the first `count` of which hold numbers; `isPlain` ones are white, and
 * `cell` is the side of one in dots of the canvas. It calls onPoint(cell or -1) for the pointer and arrow keys,
 * onChoose(cell) for a click and Enter, and onPaint(cells, event) for those that a pressed pointer crosses.
 * Returns {canvas, draw(numbers, scale), point(cell)}, `scale` being the size that is fully bright.
 */
export function createWeightsGrid({
  rows,
  columns,
  count = rows * columns,
  label,
  isPlain = false,
  cell = Math.max(2, Math.floor(CANVAS_SIDE / Math.max(rows, columns))),
  onPoint,
  onChoose,
  onPaint,
}) {
  const canvas = element("canvas", { className: "cells", width: columns * cell, height: rows * cell });
  Object.assign(canvas, { ariaLabel: label }, onPoint ? { role: "application", tabIndex: 0 } : { role: "img" });
  const context = canvas.getContext("2d");
  const gap = cell > 4 ? 1 : 0;
  const stripes = Math.max(1, Math.round(cell / 16));
  const stripe = Math.max(1, Math.round(cell / (5 * stripes)));
  const corner = (index) => [(index % columns) * cell, Math.floor(index / columns) * cell];
  let drawn = [[], 1];
  let pointed = -1;

  function draw(numbers, scale) {
    drawn = [numbers, scale];
    const { positive, negative, text, background } = colours();
    context.globalAlpha = 1;
    context.fillStyle = background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (let k = 0; k < count; k += 1) {
      const [x, y] = corner(k);
      context.globalAlpha = EMPTY;
      context.fillStyle = text;
      context.fillRect(x, y, cell - gap, cell - gap);
      const size = Math.min(1, Math.abs(numbers[k]) / scale);
      if (!(size > 0)) continue; // also where there is no number
      context.globalAlpha = isPlain ? size : size ** SOFT;
      context.fillStyle = numbers[k] < 0 ? negative : isPlain ? text : positive;
      context.fillRect(x, y, cell - gap, cell - gap);
      if (numbers[k] > 0) continue;
      context.globalAlpha = 1;
      context.fillStyle = background;
      for (let n = 1; n <= stripes; n += 1) {
        context.fillRect(x, y + Math.round((n * cell) / (stripes + 1) - stripe / 2), cell - gap, stripe);
      }
    }
    if (pointed < 0) return;
    context.globalAlpha = 1;
    context.strokeStyle = text;
    context.lineWidth = Math.max(2, cell / 8);
    context.strokeRect(...corner(pointed), cell - gap, cell - gap);
  }

  /** Outline a cell, or none for -1. */
  function point(index) {
    if (index === pointed) return;
    pointed = index;
    draw(...drawn);
  }

  /** The cell at a pointer, or -1 outside. */
  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const isInside = column >= 0 && column < columns && row >= 0 && row < rows;
    return isInside && row * columns + column < count ? row * columns + column : -1;
  }

  if (onPoint) {
    const pointTo = (index) => {
      point(index);
      onPoint(index);
    };
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    canvas.addEventListener("pointermove", (event) => pointTo(cellAt(event)));
    for (const type of ["pointerleave", "blur"]) canvas.addEventListener(type, () => pointTo(-1));
    canvas.addEventListener("focus", () => pointed < 0 && canvas.matches(":focus-visible") && pointTo(0));
    canvas.addEventListener("keydown", (event) => {
      const from = Math.max(0, pointed);
      const to = from + steps[event.key];
      if (to >= 0 && to < count) pointTo(to);
      else if (event.key === "Enter" && onChoose) onChoose(from);
      else return;
      event.preventDefault();
    });
  }
  if (onChoose) canvas.addEventListener("click", (event) => cellAt(event) >= 0 && onChoose(cellAt(event)));
  if (onPaint) {
    canvas.style.touchAction = "none";
    let last = -1;
    const paint = (event) => {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) {
        const next = cellAt(each);
        if (next >= 0) onPaint(cellsBetween(last < 0 ? next : last, next, columns), event);
        last = next;
      }
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = cellAt(event);
      if (last >= 0) onPaint([last], event);
    });
    canvas.addEventListener("pointermove", (event) => event.buttons && paint(event));
  }
  return { canvas, draw, point };
}
