/**
 * What the page knows, in one place; whoever shows a part of it is called when that part changes.
 *
 * models        the answer of /v1/models, or null until it has arrived
 * model, version  what answers; "" and 0 until known
 * chosen, networkOf  what identifies the weights of that version, and those that `network` is of; "" for none
 * network       Network of that version, that of the last one until it is loaded; null when there is none to be had
 * networkProblem  why there is none, in words
 * altered       a Network whose knobs have been turned, or null: then it answers instead
 * pixels        Float32Array of the image as drawn, row-major
 * loaded        an image to begin with, set by whoever has one: {pixels: Float32Array in the network's
 *               numbers, name, isAlone}; `draw` takes it as a step that can be undone, moved as the
 *               sliders say, or put back first with isAlone
 * answer        what the network says of the pixels, an Answer (see api.js), or null
 * canonical     what it says with canonicalization, an Answer with `done` and `pixels`, or null
 * compared      what the version to compare with says, an Answer, or null
 * comparison    {model, version} to compare with, or null
 * sheet         the test images, {labels, images}, or null until they are needed
 * readings      what `altered ?? network` reads from the sheet, or null: {network, labels,
 *               right, count, milliseconds}
 * trainedReadings  the same of `network`
 * selection     {layer, neuron}, layer 0 for the first one after the input, or null
 * view          "picture", or "tables" of the same content
 * connection    "ok", "lost", or "token" when the server wants one
 * problem       why there is no answer, in words, or ""
 * notice        what has changed on the server, in words, until one has read it, or ""
 * palette, theme  "safe" or "film"; "auto", "dark" or "light"
 */
export function createStore(initial) {
  const state = { ...initial };
  const listeners = new Set();

  return {
    /** What is known, to be read: `const { pixels, network } = store.state;`. */
    state,

    get(key) {
      return state[key];
    },

    /** Change some keys; listeners of those that differ are called once, after all are changed. */
    set(changes) {
      const changed = Object.keys(changes).filter((key) => state[key] !== changes[key]);
      Object.assign(state, changes);
      for (const { keys, listener } of [...listeners]) {
        if (keys.some((key) => changed.includes(key))) listener();
      }
    },

    /** Call a function now, and whenever one of the keys changes; returns what ends that. */
    watch(keys, listener) {
      const entry = { keys, listener };
      listeners.add(entry);
      listener();
      return () => listeners.delete(entry);
    },
  };
}

export const store = createStore({
  models: null,
  model: "",
  version: 0,
  chosen: "",
  networkOf: "",
  network: null,
  networkProblem: "",
  altered: null,
  pixels: new Float32Array(784),
  loaded: null,
  answer: null,
  canonical: null,
  compared: null,
  comparison: null,
  sheet: null,
  readings: null,
  trainedReadings: null,
  selection: null,
  view: "picture",
  connection: "ok",
  problem: "",
  notice: "",
  palette: document.documentElement.dataset.palette ?? "safe",
  theme: document.documentElement.dataset.theme ?? "auto",
});
