/** A column for every series that is kept, by which arrays of numbers hold one value each. */

import { KEPT } from "./kept.js";

export class Columns {
  /** Lists of columns: those of a metric by its name, and by its model as well, as a server may have many. */
  #lists = new Map();
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
      for (const key of keysOf(found)) {
        if (!this.#lists.has(key)) this.#lists.set(key, []);
        this.#lists.get(key).push(found);
      }
    }
    return found;
  }

  /** How many numbers an array of a kind takes. */
  count(kind) {
    return this.#counts[kind];
  }

  /** The columns of a metric, those of a model if one is given: {column, labels} each. */
  of(name, model) {
    return this.#lists.get(keyOf(name, model)) ?? [];
  }

  /** Let another series have the column. */
  free(found) {
    this.#byText.delete(found.text);
    for (const key of keysOf(found)) this.#lists.set(key, this.#lists.get(key).filter((other) => other !== found));
    this.#free[found.kind].push(found.column);
  }
}

const keyOf = (name, model) => (model === undefined ? name : `${name} ${model}`);

const keysOf = ({ name, labels: { model } }) => (model === undefined ? [name] : [name, keyOf(name, model)]);
