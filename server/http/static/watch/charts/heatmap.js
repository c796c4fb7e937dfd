/**
 * How many calls took how long, over time: a column for each time, a row for each bucket, the stronger the more.
 *
 *     heatmap(element, {
 *       title: "Durations", times, bounds: [0.001, 0.002, Infinity],
 *       counts: [[5, 1, 0], null],  // of each time, its buckets' counts, not cumulative; null where there are none
 *     });
 *
 * Call it again with the newest values. Rows are as high as their buckets are wide, logarithmically; only those
 * between the shortest and the longest that occur are shown.
 */

import { element, say } from "../../js/elements.js";
import { paintTicks } from "./figure/axes.js";
import { colour } from "./figure/colours.js";
import { createChart } from "./figure/frame.js";
import { keptIn } from "./figure/kept.js";
import { formatCount, formatDuration, formatShare } from "./format.js";
import { columnsOf } from "./scale.js";
import { logTicks } from "./ticks.js";

/**
 * Draw counts of buckets over time in an element.
 * @param {HTMLElement} element
 * @param {object} content
 * @param {string} content.title what it shows; the chart's name
 * @param {string} [content.hint] a sentence on how to read it
 * @param {number[]} content.times when each step ended, in seconds since the epoch; evenly apart
 * @param {number[]} content.bounds the upper bounds of the buckets, at least two, ascending, above 0; the last may be
 *     Infinity
 * @param {(number[]|null)[]} content.counts of each time: how many are in each bucket
 * @param {{time: number, letter: string, label: string}[]} [content.marks] what happened, as dotted lines
 */
export const heatmap = keptIn((root) => {
  const most = element("span");
  const tools = element("span", { className: "ramp" }, "1", element("span"), most);
  const show = createChart({ view, paint, keys: () => [], words, table, row, rows: ({ rows }) => rows.length }, root);
  return (content) => {
    show({ ...content, tools });
    say(most, `${formatCount(mostOf(content.counts))} calls`);
  };
});

/** Colours from few to many; and rows on both sides of those that occur. */
const LEVELS = 16;
const AROUND = 1;
const TICK_HEIGHT = 34;

function view({ times, bounds, counts }) {
  const there = counts.filter(Boolean);
  const occurring = bounds.map((_, bucket) => bucket).filter((bucket) => there.some((column) => column[bucket] > 0));
  const first = Math.max(0, (occurring[0] ?? 0) - AROUND);
  const last = Math.min(bounds.length - 1, (occurring.at(-1) ?? bounds.length - 1) + AROUND);
  const rows = [];
  for (let bucket = first; bucket <= last; bucket += 1) rows.push(rowOf(bounds, bucket));
  return { columns: columnsOf(times), counts, most: mostOf(counts), rows };
}

const mostOf = (counts) => counts.reduce((most, column) => Math.max(most, ...(column ?? [])), 1);

/** What a bucket holds, in words, and its ends; one that has none is drawn as high as its neighbour. */
function rowOf(bounds, bucket) {
  const [low, high] = [bounds[bucket - 1], bounds[bucket]];
  if (!bucket) return { bucket, name: `up to ${formatDuration(high)}`, low: high ** 2 / bounds[1] || high / 2, high };
  const name = high === Infinity ? `above ${formatDuration(low)}` : `${formatDuration(low)} to ${formatDuration(high)}`;
  return { bucket, name, low, high: Math.min(high, (low * low) / (bounds[bucket - 2] ?? low / 2)) };
}

function words({ counts, rows }, column, row) {
  const found = counts.at(column);
  const sum = found?.reduce((total, count) => total + count, 0) ?? 0;
  if (!sum) return "no calls";
  const busiest = rows.reduce((best, each) => (found[each.bucket] > found[best.bucket] ? each : best), rows[0]);
  const shown = rows[row] ?? busiest;
  const count = found[shown.bucket];
  const part = `${formatCount(count)} of ${formatCount(sum)} calls (${formatShare(count / sum)})`;
  return `${shown.name}: ${part}${rows[row] ? "" : ", the most"}`;
}

function table({ counts, rows }) {
  return {
    heads: rows.map(({ name }) => name),
    rows: counts.map((column) => rows.map(({ bucket }) => formatCount(column?.[bucket]))),
  };
}

const placeIn = (rows) => {
  const [low, high] = [Math.log(rows[0].low), Math.log(rows.at(-1).high)];
  return (value) => (Math.log(value) - low) / (high - low);
};

function row({ rows }, share) {
  const place = placeIn(rows);
  const found = rows.findIndex(({ high }) => place(high) >= share);
  return found < 0 ? rows.length - 1 : found;
}

function paint(context, area, { columns, counts, most, rows }, column, pointedRow) {
  const { left, top, width, height } = area;
  const place = placeIn(rows);
  const y = (value) => top + height * (1 - place(value));
  const ticks = logTicks(rows[0].low, rows.at(-1).high, Math.max(2, Math.floor(height / TICK_HEIGHT)));
  paintTicks(context, area, { ticks, place }, "seconds");
  const inks = Array.from({ length: LEVELS }, (_, level) => heat((level + 1) / LEVELS));
  const tops = rows.map(({ high }) => Math.round(y(high)));
  const bottoms = rows.map(({ low }) => Math.round(y(low)));
  let last = "";
  for (const [k, found] of counts.entries()) {
    if (!found) continue;
    const [begin, end] = [k, k + 1].map((edge) => Math.round(left + (width * edge) / columns.count));
    for (const [index, { bucket }] of rows.entries()) {
      const count = found[bucket];
      if (!count) continue;
      // Logarithmic: the few slow calls among thousands are those that one looks for.
      const ink = inks[Math.ceil((LEVELS * Math.log1p(count)) / Math.log1p(most)) - 1];
      // Reading a colour takes longer than filling a cell with it.
      if (ink !== last) context.fillStyle = last = ink;
      context.fillRect(begin, tops[index], end - begin, bottoms[index] - tops[index]);
    }
  }
  if (column < 0 || !rows[pointedRow]) return;
  context.strokeStyle = colour("text");
  context.lineWidth = 1.5;
  const [begin, wide] = [left + (width * column) / columns.count, width / columns.count];
  context.strokeRect(begin, tops[pointedRow], wide, bottoms[pointedRow] - tops[pointedRow]);
}

/** The colour of a strength, up to 1. */
const heat = (strength) => colour(`color-mix(in oklab, var(--heat-many) ${100 * strength}%, var(--heat-few))`);
