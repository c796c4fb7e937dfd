/** From values and times to places: shares of a chart's height, from below, and of its width, from the left. */

import { linearTicks, logTicks, niceAbove, niceBelow } from "./ticks.js";

/** A spike is above so many times the 95th percentile of its series. */
const SPIKE = 3;
const PERCENTILE = 0.95;
/** A logarithmic axis spans a decade at least: less would make a mountain of noise. */
const MIN_RATIO = 10;

/** Whether there is a value to draw. */
export const isValue = (value) => Number.isFinite(value);

/**
 * The largest value that is drawn in full: the largest, or three times the 95th percentile if a few of the values
 * (at most one in twenty) are above that. Those few are drawn as arrows, with their numbers.
 */
export function withoutSpikes(values) {
  const sorted = Float64Array.from(values.filter(isValue)).sort();
  const largest = sorted.at(-1) ?? 0;
  const limit = SPIKE * (sorted[Math.ceil(PERCENTILE * sorted.length) - 1] ?? 0);
  return limit > 0 ? Math.min(largest, limit) : largest;
}

/**
 * A linear axis from 0 for lists of values: {ticks, top, place}, in at most `count` steps, of whole numbers if
 * `isWhole`.
 */
export function linearScale(lists, { count = 4, isWhole = false } = {}) {
  // Of each by itself: one busy series among thirty quiet ones is not a spike.
  const most = Math.max(0, ...lists.map(withoutSpikes));
  const ticks = linearTicks(most, count, isWhole ? 1 : 0);
  const top = ticks.at(-1);
  return { ticks, top, place: (value) => value / top };
}

/** A logarithmic axis for lists of values above 0, as linearScale; others are drawn at the bottom. */
export function logScale(lists, { count = 4 } = {}) {
  let [least, most] = [Infinity, 0];
  for (const value of lists.flat()) {
    if (!isValue(value) || value <= 0) continue;
    [least, most] = [Math.min(least, value), Math.max(most, value)];
  }
  if (!most) [least, most] = [1e-4, 1e-1];
  let [low, high] = [niceBelow(least), niceAbove(most)];
  for (let below = true; high / low < MIN_RATIO * (1 - 1e-9); below = !below) {
    [low, high] = below ? [niceBelow(low * 0.99), high] : [low, niceAbove(high * 1.01)];
  }
  const span = Math.log(high / low);
  const place = (value) => (value > 0 ? Math.max(0, Math.log(value / low) / span) : 0);
  return { ticks: logTicks(low, high, count), low, top: high, place };
}

/**
 * Lists of values on top of each other: what each and those before it add up to, as shares of the sum of all. Where no
 * list has a value, there is none.
 */
export function stackedShares(lists) {
  const length = lists[0]?.length ?? 0;
  const totals = Array.from({ length }, (_, k) => {
    const there = lists.map((values) => values[k]).filter(isValue);
    return there.length ? there.reduce((sum, value) => sum + value) : NaN;
  });
  const sums = new Array(length).fill(0);
  return lists.map((values) =>
    totals.map((total, k) => {
      if (isValue(values[k])) sums[k] += values[k];
      return total ? sums[k] / total : NaN;
    }),
  );
}

/** The columns of a chart, one for each time, which is when it ends; evenly apart. */
export function columnsOf(times) {
  const count = times.length;
  const end = times[count - 1] ?? 0;
  const step = count > 1 ? (end - times[0]) / (count - 1) : 1;
  const begin = end - step * Math.max(1, count);
  return {
    count,
    begin,
    end,
    step,
    /** Where a time is, from 0 on the left to 1. */
    place: (time) => (time - begin) / (end - begin),
    /** Where the middle of a column is. */
    middle: (column) => (column + 0.5) / count,
    /** The time in the middle of a column. */
    time: (column) => begin + (column + 0.5) * step,
    /** The column that a time lies in, or -1. */
    at(time) {
      const column = Math.floor((time - begin) / step);
      return time !== null && column >= 0 && column < count ? column : -1;
    },
  };
}
