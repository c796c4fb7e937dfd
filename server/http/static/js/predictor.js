/** Asks for answers while one draws: one request in flight for each kind, always for the newest image. */

import { predict } from "./api.js";
import { brightest } from "./network.js";
import { report } from "./connection.js";

/** Keep store.answer, store.canonical and store.compared true to the pixels. */
export function start({ store }) {
  const plain = follow(store, "answer", () => [store.get("model"), store.get("version"), {}]);
  const canonical = follow(store, "canonical", () => [
    store.get("model"),
    store.get("version"),
    { canonicalize: true },
  ]);
  const compared = follow(store, "compared", () => {
    const other = store.get("comparison");
    return other && [other.model, other.version, {}];
  });
  store.watch(["pixels", "network", "altered"], () => {
    const altered = store.get("altered");
    if (!altered) return plain();
    const { activations } = altered.forward(store.get("pixels"));
    return store.set({
      answer: {
        source: "page",
        label: brightest(activations.at(-1)),
        activations: activations.map((layer) => Array.from(layer)),
        labelNames: altered.labelNames,
        model: altered.model,
        version: altered.version,
        serverMilliseconds: null,
        milliseconds: 0,
        done: null,
      },
    });
  });
  store.watch(["pixels", "network"], canonical);
  store.watch(["pixels", "comparison"], compared);
}

function follow(store, key, choose) {
  let isBusy = false;
  let isStale = false;

  return async function ask() {
    if (isBusy) {
      isStale = true;
      return;
    }
    isBusy = true;
    try {
      do {
        isStale = false;
        const chosen = store.get("model") ? choose() : null;
        if (!chosen) {
          store.set({ [key]: null });
          continue;
        }
        const [model, version, options] = chosen;
        const pixels = store.get("pixels");
        try {
          const answer = { ...(await predict(model, version, pixels, options)), of: pixels };
          report(store, null);
          if (key !== "answer" || !store.get("altered")) store.set({ [key]: answer });
        } catch (error) {
          report(store, error);
          store.set({ [key]: null });
        }
      } while (isStale);
    } finally {
      isBusy = false;
    }
  };
}
