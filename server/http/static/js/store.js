/** What the page knows, in one place; whoever shows a part of it is called when that part changes. */

const { palette = "safe", theme = "auto" } = document.documentElement.dataset;
const listeners = [];

/** What is known, to be read: `const { pixels, network } = store.state;`. An Answer is what api.js says. */
const state = {
  /** The answer of /v1/models, or null until it has arrived. */
  models: null,
  /** What answers; "" and 0 until known. */
  model: "",
  version: 0,
  /** What identifies its weights, and those that `network` is of; "" for none. */
  chosen: "",
  networkOf: "",
  /** The Network of that version, of the last one until it is loaded; null when there is none, and why, in words. */
  network: null,
  networkProblem: "",
  /** A Network whose knobs have been turned, or null: then it answers instead. */
  altered: null,
  /** The image as drawn, row-major. */
  pixels: new Float32Array(784),
  /**
   * An image to begin with, set by whoever has one: {pixels (Float32Array), name, isAlone}; `draw` takes it as a step
   * that can be undone, moved as its sliders say, or with isAlone puts them back first.
   */
  loaded: null,
  /** The Answer to the pixels, that with canonicalization, and that of the version {model, version} to compare with. */
  answer: null,
  canonical: null,
  compared: null,
  comparison: null,
  /** The test images, {labels, images}, once they are needed. */
  sheet: null,
  /** What `altered ?? network` reads from it, {network, labels, right, count, milliseconds}; the same of `network`. */
  readings: null,
  trainedReadings: null,
  /** {layer, neuron}, layer 0 for the first one after the input, or null. */
  selection: null,
  /** "picture", or "tables" of the same content. */
  view: "picture",
  /** "ok", "lost", or "token" when the server wants one. */
  connection: "ok",
  /** Why there is no answer, and what has changed on the server until one has read it, in words. */
  problem: "",
  notice: "",
  /** "safe" or "film"; "auto", "dark" or "light". */
  palette,
  theme,
};

export const store = {
  state,

  /** Change some keys; listeners of those that differ are called once, after all are changed. */
  set(changes) {
    const changed = Object.keys(changes).filter((key) => state[key] !== changes[key]);
    Object.assign(state, changes);
    for (const { keys, listener } of [...listeners]) if (keys.some((key) => changed.includes(key))) listener();
  },

  /** Call a function now, and whenever one of the keys changes. */
  watch(keys, listener) {
    listeners.push({ keys, listener });
    listener();
  },
};
