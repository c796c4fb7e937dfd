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
 * @param {number[]} content.bounds the upper bounds of the buckets, ascending, above 0; the last may be Infinity
 * @param {(number[]|null)[]} content.counts of each time: how many are in each bucket
 * @param {string} [content.noun] what is counted: "calls" if nothing else is given
 * @param {{time: number, letter: string, label: string}[]} [content.marks] what happened, as dotted lines
 */
export const heatmap = keptIn((root) =>
  createChart({ view, paint, keys: () => [], words, table, row, rows: ({ rows }) => rows.length }, root),
);

/** Colours from few to many; and rows on both sides of those that occur. */
const LEVELS = 16;
const AROUND = 1;
const TICK_HEIGHT = 34;

function view({ times, bounds, counts, noun = "calls" }) {
  const there = counts.filter(Boolean);
  const most = there.reduce((largest, column) => Math.max(largest, ...column), 0);
  const occurring = bounds.map((_, bucket) => bucket).filter((bucket) => there.some((column) => column[bucket] > 0));
  const first = Math.max(0, (occurring[0] ?? 0) - AROUND);
  const last = Math.min(bounds.length - 1, (occurring.at(-1) ?? bounds.length - 1) + AROUND);
  const rows = [];
  for (let bucket = first; bucket <= last; bucket += 1) rows.push({ bucket, ...endsOf(bounds, bucket) });
  return { columns: columnsOf(times), counts, noun, most, rows };
}

/** The outermost have no end: they are drawn as high as their neighbours. */
function endsOf(bounds, bucket) {
  const [below, above] = [bounds[bucket - 1], bounds[bucket]];
  if (below === undefined) return { low: above / (bounds[1] < Infinity ? bounds[1] / above : 2), high: above };
  if (above < Infinity) return { low: below, high: above };
  return { low: below, high: (below * below) / (bounds[bucket - 2] ?? below / 2) };
}

/** "1 ms to 2 ms": what a bucket holds. */
function nameOf({ bucket, low, high }, { counts }) {
  if (!bucket) return `up to ${formatDuration(high)}`;
  const isLast = bucket === (counts.find(Boolean)?.length ?? 0) - 1;
  return isLast ? `above ${formatDuration(low)}` : `${formatDuration(low)} to ${formatDuration(high)}`;
}

function words(content, column, row) {
  const { counts, noun, rows } = content;
  const found = counts.at(column);
  const sum = found?.reduce((total, count) => total + count, 0) ?? 0;
  if (!sum) return `no ${noun}`;
  const busiest = rows.reduce((best, each) => (found[each.bucket] > found[best.bucket] ? each : best), rows[0]);
  const shown = rows[row] ?? busiest;
  const count = found[shown.bucket];
  const part = `${formatCount(count)} of ${formatCount(sum)} ${noun} (${formatShare(count / sum)})`;
  return `${nameOf(shown, content)}: ${part}${rows[row] ? "" : ", the most"}`;
}

function table(content) {
  const { counts, rows } = content;
  return {
    heads: rows.map((each) => nameOf(each, content)),
    rows: counts.map((column) => rows.map(({ bucket }) => (column ? formatCount(column[bucket]) : "-"))),
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
  const tops = rows.map(({ high }) => Math.round(y(high)));
  const bottoms = rows.map(({ low }) => Math.round(y(low)));
  for (const [k, found] of counts.entries()) {
    if (!found) continue;
    const [begin, end] = [k, k + 1].map((edge) => Math.round(left + (width * edge) / columns.count));
    for (const [index, { bucket }] of rows.entries()) {
      const count = found[bucket];
      if (!count) continue;
      context.fillStyle = heat(Math.log1p(count) / Math.log1p(most));
      context.fillRect(begin, tops[index], end - begin, bottoms[index] - tops[index]);
    }
  }
  if (column < 0 || !rows[pointedRow]) return;
  context.strokeStyle = colour("text");
  context.lineWidth = 1.5;
  const [begin, wide] = [left + (width * column) / columns.count, width / columns.count];
  context.strokeRect(begin, tops[pointedRow], wide, bottoms[pointedRow] - tops[pointedRow]);
}

/** The colour of a strength above 0, up to 1. */
function heat(strength) {
  const level = Math.max(1, Math.ceil(strength * LEVELS)) / LEVELS;
  return colour(`color-mix(in oklab, var(--heat-many) ${100 * level}%, var(--heat-few))`);
}
