/** A column for every series that is kept, by which arrays of numbers hold one value each. */

import { KEPT } from "./kept.js";

export class Columns {
  /** [{column, labels}] by the names of samples. */
  #byName = new Map();
  #byText = new Map();
  #counts = { counters: 0, gauges: 0, facts: 0 };
  #free = { counters: [], gauges: [], facts: [] };

  /** The column of a metric for these labels, of which only those count that are kept. */
  find(name, labels) {
    const { kind, labels: names } = KEPT.get(name);
    const here = names.filter((label) => label in labels);
    const text = JSON.stringify([name, ...here.flatMap((label) => [label, labels[label]])]);
    let found = this.#byText.get(text);
    if (!found) {
      const own = Object.fromEntries(here.map((label) => [label, labels[label]]));
      found = { column: this.#free[kind].pop() ?? this.#counts[kind]++, labels: own, kind, name, text };
      this.#byText.set(text, found);
      this.#byName.set(name, [...this.of(name), found]);
    }
    return found;
  }

  /** How many numbers an array of a kind takes. */
  count(kind) {
    return this.#counts[kind];
  }

  /** The columns of a metric: {column, labels} each. */
  of(name) {
    return this.#byName.get(name) ?? [];
  }

  /** Let another series have the column. */
  free(found) {
    this.#byText.delete(found.text);
    this.#byName.set(found.name, this.of(found.name).filter((other) => other !== found));
    this.#free[found.kind].push(found.column);
  }
}
