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
 * Make a grid of `rows` x `columns` cells of `cell` dots, the first `count` of which hold numbers. onPoint is told
 * the cell that is pointed at, or -1, and onPaint those that a pressed pointer crosses.
 * Returns {canvas, draw(numbers, scale), point(cell)}, `scale` being the size that is fully bright.
 */
export function createWeightsGrid({
  rows,
  columns,
  count = rows * columns,
  label: ariaLabel,
  isPlain = false,
  cell = Math.max(2, Math.floor(CANVAS_SIDE / Math.max(rows, columns))),
  onPoint,
  onChoose,
  onPaint,
}) {
  const [width, height] = [columns * cell, rows * cell];
  const canvas = element("canvas", { className: "cells", width, height, ariaLabel, role: "application", tabIndex: 0 });
  const context = canvas.getContext("2d");
  const side = cell > 4 ? cell - 1 : cell;
  const stripes = Math.max(1, Math.round(cell / 16));
  const stripe = Math.max(1, Math.round(cell / (5 * stripes)));
  const corner = (index) => [(index % columns) * cell, Math.floor(index / columns) * cell];
  let drawn = [[], 1];
  let pointed = -1;
  let painted = -1;

  function fill(colour, opacity, ...box) {
    context.fillStyle = colour;
    context.globalAlpha = opacity;
    context.fillRect(...box);
  }

  function draw(numbers, scale) {
    drawn = [numbers, scale];
    const { positive, negative, text, background } = colours();
    fill(background, 1, 0, 0, width, height);
    for (let k = 0; k < count; k += 1) {
      const [x, y] = corner(k);
      fill(text, EMPTY, x, y, side, side);
      const size = Math.min(1, Math.abs(numbers[k]) / scale);
      if (!(size > 0)) continue; // also for NaN
      const isNegative = numbers[k] < 0;
      fill(isNegative ? negative : isPlain ? text : positive, isPlain ? size : size ** SOFT, x, y, side, side);
      for (let n = 1; isNegative && n <= stripes; n += 1) {
        fill(background, 1, x, y + Math.round((n * cell) / (stripes + 1) - stripe / 2), side, stripe);
      }
    }
    if (pointed < 0) return;
    context.globalAlpha = 1;
    context.strokeStyle = text;
    context.lineWidth = Math.max(2, cell / 8);
    context.strokeRect(...corner(pointed), side, side);
  }

  /** Outline a cell, or none for -1. */
  function point(index) {
    if (index === pointed) return;
    pointed = index;
    draw(...drawn);
  }

  function pointTo(index) {
    point(index);
    onPoint(index);
  }

  /** The cell at a pointer, or -1 outside. */
  function cellAt({ clientX, clientY }) {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((clientX - box.left) / box.width) * columns);
    const row = Math.floor(((clientY - box.top) / box.height) * rows);
    const isInside = column >= 0 && column < columns && row >= 0 && row < rows;
    return isInside && row * columns + column < count ? row * columns + column : -1;
  }

  function paint(next, from) {
    if (next >= 0) onPaint(cellsBetween(from < 0 ? next : from, next, columns));
    painted = next;
  }

  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  canvas.onpointermove = (event) => {
    pointTo(cellAt(event));
    if (!onPaint || !event.buttons) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) paint(cellAt(each), painted);
  };
  canvas.onpointerleave = canvas.onblur = () => pointTo(-1);
  canvas.onfocus = () => pointed < 0 && canvas.matches(":focus-visible") && pointTo(0);
  canvas.onkeydown = (event) => {
    const from = Math.max(0, pointed);
    const to = from + steps[event.key];
    if (to >= 0 && to < count) pointTo(to);
    else if (event.key === "Enter") onChoose?.(from);
    else return;
    event.preventDefault();
  };
  canvas.onclick = (event) => cellAt(event) >= 0 && onChoose?.(cellAt(event));
  if (onPaint) {
    canvas.style.touchAction = "none";
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      paint(cellAt(event), -1);
    };
  }
  return { canvas, draw, point };
}
