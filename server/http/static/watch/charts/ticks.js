/** Where an axis has its ticks: numbers that people count in, 1, 2 and 5 times powers of ten. */

import { formatOf, formatTime } from "./format.js";

/** Seconds between ticks of time. */
const TIME_STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/** The smallest of 1, 2 and 5 times a power of ten that is not below a number above 0. */
export function niceAbove(number) {
  const power = 10 ** Math.floor(Math.log10(number));
  // A little less, since 0.3 / 0.1 is above 3.
  const factor = [1, 2, 5, 10].find((each) => each * power >= number * (1 - 1e-9)) ?? 10;
  return exact(factor * power);
}

/** The largest of them that is not above a number. */
export function niceBelow(number) {
  const power = 10 ** Math.floor(Math.log10(number * (1 + 1e-9)));
  return exact([5, 2, 1].find((each) => each * power <= number * (1 + 1e-9)) * power);
}

/** Ticks from 0 to the first that is not below `most`, in at most `count` steps, none shorter than `minStep`. */
export function linearTicks(most, count, minStep = 0) {
  const step = Math.max(minStep, niceAbove((most || 1) / count));
  const steps = Math.max(1, Math.ceil((most || 1) / step - 1e-9));
  return Array.from({ length: steps + 1 }, (_, k) => exact(k * step));
}

/** Ticks between two ends: 1, 2 and 5 in each decade if that is at most `count`, or 1, or 1 in every second. */
export function logTicks(low, high, count) {
  const [first, last] = [Math.floor(Math.log10(low) + 1e-9), Math.ceil(Math.log10(high) - 1e-9)];
  const powers = Array.from({ length: last - first + 1 }, (_, k) => first + k);
  const within = (tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9);
  const fine = powers.flatMap((power) => [1, 2, 5].map((factor) => exact(factor * 10 ** power))).filter(within);
  if (fine.length <= count) return fine;
  const decades = powers.map((power) => exact(10 ** power)).filter(within);
  const every = Math.ceil(decades.length / count);
  return decades.filter((_, k) => k % every === 0);
}

/** Ticks of time between two ends, at most `count`: [{time, text}]. */
export function timeTicks(begin, end, count) {
  const step = TIME_STEPS.find((each) => (end - begin) / each <= count) ?? TIME_STEPS.at(-1);
  const first = Math.ceil(begin / step);
  const length = Math.max(0, Math.floor(end / step) - first + 1);
  const times = Array.from({ length }, (_, k) => (first + k) * step);
  return times.map((time) => ({ time, text: formatTime(time, step < 60) }));
}

/** What stands beside a tick, with as many decimals as tell it from the next. */
export function tickText(tick, unit, step) {
  if (unit === "share") return `${exact(100 * tick)}%`;
  if (unit === "seconds" || unit === "bytes") return tick ? formatOf(unit)(tick) : "0";
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const digits = decimals ? tick.toFixed(decimals) : formatOf("count")(tick);
  return unit === "rate" && tick ? `${digits} /s` : digits;
}

/** Without what floats add: 0.30000000000000004 is 0.3. */
const exact = (number) => Number(number.toPrecision(12));
