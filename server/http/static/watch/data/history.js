/** Remembers a quarter of an hour of a server's pages, as little of each as the figures need. */

import { Columns } from "./columns.js";
import { Counting } from "./counting.js";
import { Reader } from "./exposition.js";
import { Look } from "./look.js";

/** How long it remembers. */
export const KEPT_SECONDS = 15 * 60;
/** Without a page for longer than this nobody knows when what was added meanwhile has happened. */
export const GAP_SECONDS = 5;
/** How many points a range has, at most. */
export const MAX_POINTS = 60;

export class History {
  #columns = new Columns();
  #counting = new Counting(this.#columns);
  #reader = new Reader((name, labels) => this.#counting.track(name, labels));
  #steps = [];
  #forgotten = NaN;
  /** Looks of points that were asked for before: by the range, and by where they begin and end. */
  #points = new Map();

  /** When the newest page was read, NaN before any. */
  get time() {
    return this.#steps.at(-1)?.time ?? NaN;
  }

  /** Add a page, the text of /metrics, read at `seconds` of any clock that goes on and on. */
  add(text, seconds) {
    const step = this.#counting.count(this.#reader.read(text), seconds);
    const last = this.#steps.at(-1);
    if (last && isSame(last.facts, step.facts)) step.facts = last.facts;
    this.#steps.push(step);
    const kept = this.#steps.findIndex(({ time }) => time > seconds - KEPT_SECONDS);
    this.#steps.splice(0, kept);
    if (!(seconds - this.#forgotten < KEPT_SECONDS)) this.#forget(seconds);
  }

  /**
   * The Look at what was counted from `begin` to `end`, null before any page was read. A page counts where it was read:
   * what it adds to the one before belongs to the time in which it lies.
   */
  look(begin, end) {
    const steps = this.#steps.filter(({ time }) => time > begin && time <= end);
    const step = this.#steps.findLast(({ time }) => time <= end);
    return step ? this.#look(steps, step, this.#totalsAt(step)) : null;
  }

  /**
   * The `range` seconds up to `end` for a chart: [{time, look}], of about 60 points, or one for each page if there are
   * fewer. The time is that of the point's end; its look is null where pages are missing, and knows no totals.
   */
  points(range, end) {
    const width = range / MAX_POINTS;
    const begin = Math.floor((end - range) / width) * width;
    const groups = Map.groupBy(
      this.#steps.filter(({ time }) => time > begin && time <= end),
      ({ time }) => Math.ceil(time / width),
    );
    const [known, looks, points] = [this.#points.get(range), new Map(), []];
    for (const steps of groups.values()) {
      const { time, seconds } = steps[0];
      if (seconds > Math.max(GAP_SECONDS, width)) points.push({ time: time - seconds / 2, look: null });
      const last = steps.at(-1);
      const key = `${time} ${last.time}`;
      looks.set(key, known?.get(key) ?? this.#look(steps, last, null));
      points.push({ time: last.time, look: looks.get(key) });
    }
    this.#points.set(range, looks);
    return points;
  }

  /** Let go of series that are gone, such as those of versions that were unloaded. */
  #forget(seconds) {
    const gone = this.#counting.forget(seconds - KEPT_SECONDS);
    this.#reader.forget((series) => gone.has(series));
    this.#forgotten = seconds;
  }

  #look(steps, step, totals) {
    const counts = new Float64Array(step.size);
    let seconds = 0;
    for (const { columns, increases, seconds: its } of steps) {
      seconds += its;
      for (let k = 0; k < columns.length; k += 1) counts[columns[k]] += increases[k];
    }
    return new Look(this.#columns, { seconds, counts, totals: totals ?? new Float64Array(0), step });
  }

  /** What had been counted since the server's start when a step ended: less than now by what came later. */
  #totalsAt(step) {
    let totals = this.#counting.totals.slice();
    for (let k = this.#steps.length - 1; this.#steps[k] !== step; k -= 1) {
      const { columns, increases, before } = this.#steps[k];
      if (before) totals = before.slice();
      else columns.forEach((column, j) => (totals[column] -= increases[j]));
    }
    return totals;
  }
}

function isSame(some, others) {
  return some.length === others.length && some.every((number, k) => Object.is(number, others[k]));
}
