/**
 * Counts what pages of metrics add to each other, also through restarts of workers, and their silence for a while.
 * mlpserve/metrics/looks.py does the same.
 */

import { KEPT, START } from "./kept.js";

const PARENT = "parent";

export class Counting {
  #columns;
  #tracked = new Set();
  #starts = new Map();
  #time = NaN;
  /** What has been counted since the server's start, by the columns of counters. */
  totals = new Float64Array(0);

  /** `columns` says where the numbers go. */
  constructor(columns) {
    this.#columns = columns;
  }

  /** What is to be known of a series, null for one that no figure needs. */
  track(name, labels) {
    if (!KEPT.has(name)) return null;
    const found = this.#columns.find(name, labels);
    const series = { name, found, kind: found.kind, worker: labels.worker ?? "", last: 0, seen: NaN };
    this.#tracked.add(series);
    return series;
  }

  /**
   * What a page {series, values}, read at `time`, adds to the one before: {time, seconds, size, columns, increases,
   * gauges, facts, before}. `increases` has a number for each of `columns`, those of `size` that have grown; `gauges`
   * and `facts` have one for each column, NaN for those that the page lacks. `before` is null, or the totals until then
   * where more has become of them than the increases say: workers are new, or it is another server. At first nothing
   * is added.
   */
  count({ series, values }, time) {
    const isFirst = Number.isNaN(this.#time);
    const { unknown, isAnew } = this.#noteWorkers(series, values);
    const before = unknown.size || isAnew ? this.totals : null;
    const totals = new Float64Array(this.#columns.count("counters"));
    if (!isAnew) totals.set(this.totals);
    const sums = new Float64Array(totals.length);
    const gauges = new Float64Array(this.#columns.count("gauges")).fill(NaN);
    const facts = new Float64Array(this.#columns.count("facts")).fill(NaN);
    for (let k = 0; k < series.length; k += 1) {
      const one = series[k];
      const value = values[k];
      const { column } = one.found;
      one.seen = time;
      if (one.kind === "counters") {
        // What is less than before begins again at zero, for whatever reason.
        const increase = value >= one.last ? value - one.last : value;
        one.last = value;
        totals[column] += increase;
        if (!unknown.has(one.worker)) sums[column] += increase;
      } else if (one.kind === "gauges") {
        gauges[column] = Number.isNaN(gauges[column]) ? value : gauges[column] + value;
      } else {
        facts[column] = Number.isNaN(facts[column]) ? value : Math.max(facts[column], value);
      }
    }
    const seconds = isFirst ? 0 : time - this.#time;
    [this.#time, this.totals] = [time, totals];
    return { time, seconds, size: totals.length, ...sparse(sums), gauges, facts, before };
  }

  /** Forget series that no page has had since `time`; totals keep what they counted. Returns those that are gone. */
  forget(time) {
    const gone = new Set([...this.#tracked].filter(({ seen }) => !(seen >= time)));
    for (const one of gone) {
      this.#tracked.delete(one);
      if (one.name === START) this.#starts.delete(one.worker);
    }
    const needed = new Set([...this.#tracked].map(({ found }) => found));
    for (const found of new Set([...gone].map((one) => one.found))) if (!needed.has(found)) this.#release(found);
    return gone;
  }

  #release(found) {
    if (found.kind === "counters") {
      const { column } = this.#columns.find(found.name, {});
      const totals = new Float64Array(this.#columns.count("counters"));
      totals.set(this.totals);
      totals[column] += totals[found.column];
      totals[found.column] = 0;
      this.totals = totals;
    }
    this.#columns.free(found);
  }

  /**
   * Forget what those had counted that began anew since the page before. `unknown` are those never seen before, which
   * have counted since nobody knows when; "" stands for what has no worker's label. `isAnew`: the server itself is.
   */
  #noteWorkers(series, values) {
    const starts = new Map();
    series.forEach(({ name, worker }, k) => {
      if (name === START) starts.set(worker, values[k]);
    });
    const anew = new Set([...starts.keys()].filter((worker) => this.#starts.get(worker) !== starts.get(worker)));
    const isAnew = anew.has(PARENT);
    if (isAnew) anew.add("");
    if (anew.size) for (const one of this.#tracked) if (anew.has(one.worker)) one.last = 0;
    const unknown = new Set([...starts.keys()].filter((worker) => !this.#starts.has(worker)));
    if (!this.#starts.size) unknown.add("");
    for (const [worker, start] of starts) this.#starts.set(worker, start);
    return { unknown, isAnew };
  }
}

/** The numbers that are not 0, and their columns. */
function sparse(sums) {
  const columns = [];
  sums.forEach((sum, column) => {
    if (sum) columns.push(column);
  });
  return { columns: Uint32Array.from(columns), increases: Float64Array.from(columns, (column) => sums[column]) };
}
