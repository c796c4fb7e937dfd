/** Reads a server's page of metrics, in Prometheus' text format. */

// What stands before a sample's value: its name, its labels if it has any, and spaces.
const BEGINNING = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(?=\S)/s;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/gs;
const HASH = 35;
const SPACE = 32;
const NUMBERS = { "+Inf": Infinity, Inf: Infinity, "-Inf": -Infinity, NaN };

/**
 * Reads page after page of one server. Most lines of a page begin as those of the page before, in the same order, and
 * are known without being taken apart.
 */
export class Reader {
  #describe;
  /** What was found so far, by the text before the value: {beginning, series, position}. */
  #known = new Map();
  /** The same as the last page had them, in order. */
  #order = [];

  /** `describe(name, labels)` makes a series of a name and labels the first time; null for one to leave out. */
  constructor(describe = (name, labels) => ({ name, labels })) {
    this.#describe = describe;
  }

  /** The samples of a page, {series, values}: values[k] is that of series[k]. Lines that are none are left out. */
  read(text) {
    const [series, values, order] = [[], [], []];
    let expected = 0;
    for (let at = 0, end; at < text.length; at = end + 1) {
      end = text.indexOf("\n", at);
      if (end < 0) end = text.length;
      if (text.charCodeAt(at) === HASH || at === end) continue;
      let entry = this.#order[expected];
      if (!entry || !text.startsWith(entry.beginning, at)) entry = this.#find(text.slice(at, end));
      if (!entry) continue;
      expected = entry.position + 1;
      entry.position = order.push(entry) - 1;
      if (entry.series === null) continue;
      const value = readValue(text, at + entry.beginning.length, end);
      if (value === undefined) continue;
      series.push(entry.series);
      values.push(value);
    }
    this.#order = order;
    return { series, values };
  }

  /** Forget how series are written for which `isGone(series)`, and which were left out. */
  forget(isGone) {
    for (const [beginning, { series }] of this.#known) if (!series || isGone(series)) this.#known.delete(beginning);
    this.#order = [];
  }

  #find(line) {
    const match = BEGINNING.exec(line);
    if (!match) return null;
    const [beginning, name, inner = ""] = match;
    let entry = this.#known.get(beginning);
    if (!entry) {
      entry = { beginning, series: this.#describe(name, readLabels(inner)), position: Infinity };
      this.#known.set(beginning, entry);
    }
    return entry;
  }
}

/** The number between two places of a text, up to a space; undefined for what is none. */
function readValue(text, begin, end) {
  const value = text.charCodeAt(begin) > SPACE ? Number(text.slice(begin, end)) : NaN;
  if (!Number.isNaN(value)) return value;
  const [word = ""] = text.slice(begin, end).trim().split(/\s/, 1);
  if (word in NUMBERS) return NUMBERS[word];
  return word === "" || Number.isNaN(Number(word)) ? undefined : Number(word);
}

function readLabels(inner) {
  const labels = Object.create(null);
  for (const [, name, text] of inner.matchAll(LABEL)) {
    labels[name] = text.replace(/\\(.)/gs, (_, escaped) => (escaped === "n" ? "\n" : escaped));
  }
  return labels;
}
