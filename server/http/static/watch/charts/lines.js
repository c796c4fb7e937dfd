/**
 * Series over time as lines, as areas, or as shares of their sum.
 *
 *     lineChart(element, {
 *       title: "Duration", unit: "seconds", scale: "log", times,
 *       series: [{ name: "p50", values }, { name: "p99", values }],
 *       marks: [{ time, letter: "R", label: "worker 1 restarted" }],
 *     });
 *
 * Call it again with the newest values, at most once for each reading. The element becomes the chart's; give it an
 * empty <div>. It is drawn in the next frame, and its words change with it.
 */

import { formatOf, formatShare } from "./format.js";
import { paintTicks } from "./figure/axes.js";
import { colour } from "./figure/colours.js";
import { createChart } from "./figure/frame.js";
import { keptIn } from "./figure/kept.js";
import { DASHES, paintTexture, strokesOf } from "./figure/strokes.js";
import { columnsOf, isValue, linearScale, logScale, stackedShares } from "./scale.js";

/**
 * Draw series over time in an element.
 * @param {HTMLElement} element
 * @param {object} content
 * @param {string} content.title what it shows; the chart's name
 * @param {string} [content.hint] a sentence on how to read it
 * @param {"seconds"|"rate"|"share"|"bytes"|"count"|"number"} content.unit see format.js
 * @param {number[]} content.times when each step ended, in seconds since the epoch; evenly apart
 * @param {{name: string, values: number[], colour?: string, dash?: number, texture?: number}[]} content.series a
 *     value for each time, null or NaN where there is none; colours are variables of the stylesheets, "series-1" to
 *     "series-8" in their order if none is given
 * @param {"linear"|"log"} [content.scale] "log" by default for seconds; a linear one starts at 0
 * @param {"lines"|"area"|"share"} [content.mode] "share" stacks the series, whose sum is 100%
 * @param {{time: number, letter: string, label: string}[]} [content.marks] what happened, as dotted lines
 * @param {HTMLElement} [content.tools] controls that stand above the chart
 * @param {boolean} [content.hasShares] whether shares of the sum are read out as well
 * @param {function(number[]): void} [content.onShow] called with the values that are read out
 */
export const lineChart = keptIn((root) => createChart({ view, paint, keys, table }, root));

/** Pixels of height for each tick, at least. */
const TICK_HEIGHT = 34;

function view(content, hidden) {
  const { unit, times, series, mode = "lines" } = content;
  const scale = content.scale ?? (unit === "seconds" ? "log" : "linear");
  const all = series.map((one, index) => strokesOf(one, index));
  const shown = all.filter(({ name }) => !hidden.has(name));
  const lists = shown.map(({ values }) => values);
  const isStacked = mode === "share";
  const tops = isStacked ? stackedShares(lists) : lists;
  const axis = (count) => {
    if (isStacked) return linearScale([[1]], { count });
    return scale === "log" ? logScale(tops, { count }) : linearScale(tops, { count, isWhole: unit === "count" });
  };
  return { ...content, mode, all, shown, tops, isStacked, axis, columns: columnsOf(times), format: formatOf(unit) };
}

function keys({ all, columns, isStacked, hasShares, onShow, format }, column) {
  const values = all.map((one) => one.values[column < 0 ? columns.count - 1 : column]);
  onShow?.(values);
  const total = values.reduce((sum, value) => sum + (isValue(value) ? value : 0), 0);
  return all.map(({ name, colour, dash, texture }, index) => {
    const share = formatShare(total > 0 ? values[index] / total : NaN);
    const value = format(values[index]);
    const text = isStacked ? share : hasShares && share !== "-" ? `${value} (${share})` : value;
    return { name, text, colour, ...(!isStacked && { dash }), ...((isStacked || hasShares) && { texture }) };
  });
}

function table({ all, columns, format }) {
  const rows = Array.from({ length: columns.count }, (_, k) => all.map(({ values }) => format(values[k])));
  return { heads: all.map(({ name }) => name), rows };
}

function paint(context, area, { unit, mode, shown, tops, isStacked, axis, columns, format }, column) {
  const { left, top, width, height } = area;
  const scale = axis(Math.max(2, Math.floor(height / TICK_HEIGHT)));
  paintTicks(context, area, scale, isStacked ? "share" : unit);
  const x = (k) => left + width * columns.middle(k);
  const y = (value) => top + height * (1 - scale.place(value));
  context.save();
  context.beginPath();
  context.rect(left, top - 2, width, height + 4);
  context.clip();
  if (isStacked) {
    for (const [index, { colour: name, texture }] of shown.entries()) {
      const path = areaPath(tops[index], tops[index - 1], x, y);
      paintTexture(context, path, colour(name), texture, colour("surface"), area);
    }
  } else {
    // The first is painted last: it lies above the others.
    for (const { values, colour: name, dash } of shown.toReversed()) {
      if (mode === "area") paintArea(context, values, x, y, colour(name));
      paintLine(context, values, x, y, colour(name), DASHES[dash % DASHES.length]);
    }
  }
  context.restore();
  if (!tops.some((values) => values.some(isValue))) paintNothing(context, area);
  if (isStacked) return;
  for (const { values, colour: name } of shown) {
    paintSpikes(context, area, values, scale.top, x, { ink: colour(name), format });
    if (column < 0 || !isValue(values[column])) continue;
    paintPoint(context, x(column), Math.max(top, y(values[column])), colour(name));
  }
}

function paintNothing(context, { left, top, width, height }) {
  [context.textAlign, context.textBaseline, context.fillStyle] = ["center", "middle", colour("muted")];
  context.fillText("no values", left + width / 2, top + height / 2);
}

function paintLine(context, values, x, y, ink, dash) {
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.setLineDash(dash);
  context.beginPath();
  for (const [k, value] of values.entries()) {
    if (!isValue(value)) continue;
    if (isValue(values[k - 1])) context.lineTo(x(k), y(value));
    else context.moveTo(x(k), y(value));
    // A value without neighbours.
    if (!isValue(values[k - 1]) && !isValue(values[k + 1])) context.fillRect(x(k) - 2, y(value) - 2, 4, 4);
  }
  context.stroke();
  context.setLineDash([]);
}

function paintArea(context, values, x, y, ink) {
  context.globalAlpha = 0.18;
  context.fillStyle = ink;
  context.fill(areaPath(values, undefined, x, y));
  context.globalAlpha = 1;
}

/** Between values and those below them, or the bottom; a part for each run of values. */
function areaPath(values, below, x, y) {
  const path = new Path2D();
  for (let k = 0; k < values.length; k += 1) {
    const first = k;
    while (isValue(values[k])) k += 1;
    if (k === first) continue;
    path.moveTo(x(first), y(values[first]));
    for (let j = first + 1; j < k; j += 1) path.lineTo(x(j), y(values[j]));
    for (let j = k - 1; j >= first; j -= 1) path.lineTo(x(j), y(below?.[j] ?? 0));
    path.closePath();
  }
  return path;
}

/** An arrow where a value is above the axis, and its number. */
function paintSpikes(context, { left, top, width, em }, values, most, x, { ink, format }) {
  context.fillStyle = ink;
  context.textBaseline = "bottom";
  for (const [k, value] of values.entries()) {
    if (!isValue(value) || value <= most) continue;
    const text = format(value);
    const half = context.measureText(text).width / 2;
    const middle = Math.min(Math.max(x(k), left + half), left + width - half);
    context.beginPath();
    context.moveTo(x(k), top - 3);
    context.lineTo(x(k) - 4, top + 4);
    context.lineTo(x(k) + 4, top + 4);
    context.fill();
    context.textAlign = "center";
    context.fillText(text, middle, top - 0.2 * em);
  }
}

function paintPoint(context, x, y, ink) {
  context.beginPath();
  context.arc(x, y, 4, 0, 2 * Math.PI);
  context.fillStyle = ink;
  context.strokeStyle = colour("surface");
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
}
