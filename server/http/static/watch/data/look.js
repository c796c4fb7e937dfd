/** What happened at a server between two moments, and what was there at the second. */

export class Look {
  #columns;
  #counts;
  #totals;
  #step;

  /** Of arrays by columns: what was added, the totals since the server's start, and the last step with its gauges. */
  constructor(columns, { seconds, counts, totals, step }) {
    [this.#columns, this.#counts, this.#totals, this.#step] = [columns, counts, totals, step];
    /** How long the time was, NaN for none; and when it ended. */
    [this.seconds, this.time] = [seconds || NaN, step.time];
  }

  /** Whether the server has a metric. */
  has(name) {
    return this.#columns.of(name).length > 0;
  }

  /** How much was added to a counter, in the sum over its series that have these labels, among others. */
  increase(name, labels) {
    return this.#sum(this.#counts, name, labels);
  }

  /** The same for each value of the label `key`, as a Map. */
  increases(name, key, labels) {
    return this.#sums(this.#counts, name, key, labels);
  }

  /** The labels of each series of a counter to which something was added. */
  grown(name) {
    return this.#matching(this.#counts, name)
      .filter(({ column }) => this.#counts[column])
      .map(({ labels }) => labels);
  }

  /** How much was added in a second. */
  rate(name, labels) {
    return this.increase(name, labels) / this.seconds;
  }

  /** The same for each value of the label `key`. */
  rates(name, key, labels) {
    const increases = this.increases(name, key, labels);
    return new Map([...increases].map(([value, increase]) => [value, increase / this.seconds]));
  }

  /** What was counted since the server's start, also by workers that are gone. */
  total(name, labels) {
    return this.#sum(this.#totals, name, labels);
  }

  /** The same for each value of the label `key`. */
  totals(name, key, labels) {
    return this.#sums(this.#totals, name, key, labels);
  }

  /** What a gauge was at the end, in the sum over its series. */
  value(name, labels) {
    return this.#sum(this.#step.gauges, name, labels);
  }

  /** The same for each value of the label `key`. */
  values(name, key, labels) {
    return this.#sums(this.#step.gauges, name, key, labels);
  }

  /** The series of a metric that hardly ever changes: [{labels, value}]. */
  facts(name, labels) {
    const { facts } = this.#step;
    return this.#matching(facts, name, labels).map((one) => ({ labels: one.labels, value: facts[one.column] }));
  }

  /** The mean of what a histogram has seen; NaN of nothing. */
  mean(name, labels) {
    return this.increase(`${name}_sum`, labels) / this.increase(`${name}_count`, labels);
  }

  /** A histogram's counts up to each of its bounds: [[bound, count]], ascending, the last bound Infinity. */
  buckets(name, labels) {
    const counts = [...this.increases(`${name}_bucket`, "le", labels)];
    const bounds = counts.map(([le, count]) => [le === "+Inf" ? Infinity : Number(le), count]);
    return bounds.sort(([left], [right]) => (left < right ? -1 : 1));
  }

  /** A quantile of what a histogram has seen, NaN of nothing; `share` is 0.99 for the 99th percentile. */
  quantile(share, name, labels) {
    return quantile(this.buckets(name, labels), share);
  }

  /** Several of them by their names: {p50: 0.5} gives {p50}. */
  quantiles(shares, name, labels) {
    const buckets = this.buckets(name, labels);
    return Object.fromEntries(Object.entries(shares).map(([key, share]) => [key, quantile(buckets, share)]));
  }

  #matching(numbers, name, labels = {}) {
    const wanted = Object.entries(labels);
    return this.#columns.of(name, labels.model).filter((one) => {
      const isKnown = one.column < numbers.length && !Number.isNaN(numbers[one.column]);
      return isKnown && wanted.every(([key, value]) => one.labels[key] === value);
    });
  }

  #sum(numbers, name, labels) {
    return this.#matching(numbers, name, labels).reduce((sum, { column }) => sum + numbers[column], 0);
  }

  #sums(numbers, name, key, labels) {
    const sums = new Map();
    for (const one of this.#matching(numbers, name, labels)) {
      const value = one.labels[key];
      if (value !== undefined) sums.set(value, (sums.get(value) ?? 0) + numbers[one.column]);
    }
    return sums;
  }
}

/**
 * A quantile of cumulative counts [[bound, count]] by their ascending upper bounds, the last of them Infinity. Values
 * lie evenly within a bucket, as Prometheus supposes; those beyond the last finite bound lie at it. NaN of nothing.
 */
export function quantile(buckets, share) {
  const rank = share * (buckets.at(-1)?.[1] ?? 0);
  let [lower, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= rank && count > below) {
      return bound === Infinity ? lower : lower + ((bound - lower) * (rank - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return NaN;
}
