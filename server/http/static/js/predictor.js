/** Keeps the answers true to the drawing: the server's, or the page's own where knobs are turned. */

import { predict } from "./api.js";
import { follow } from "./asking.js";
import { report } from "./connection.js";
import { findVersion } from "./models/list.js";
import { brightest } from "./network.js";

/** What a network answers, as an Answer that the page has computed. */
export function compute(network, pixels) {
  const { activations } = network.forward(pixels);
  return {
    source: "page",
    label: brightest(activations.at(-1)),
    activations: activations.map((layer) => Array.from(layer)),
    labelNames: network.labelNames,
    model: network.model,
    version: network.version,
    serverMilliseconds: null,
    milliseconds: 0,
    done: null,
    of: pixels,
  };
}

/** Keep store.answer, store.canonical and store.compared true to the pixels; `retry` loads the models again. */
export function start({ store, retry }) {
  const isOnline = () => store.get("connection") === "ok";
  const isReady = () => store.get("chosen") !== "" && store.get("networkOf") === store.get("chosen");
  const chosen = () => ({ model: store.get("model"), version: store.get("version") });
  // Its answer and the others stand beside each other: they are about the same pixels.
  const answered = () => isOnline() && isReady() && store.get("answer");
  let served = null;

  function failed(error) {
    report(store, error);
    if (error.status === 404) retry();
    else store.set({ problem: error.message });
  }

  const askPlain = follow({
    question: () => isOnline() && isReady() && !store.get("altered") && { ...chosen(), pixels: store.get("pixels") },
    ask: predict,
    take(answer) {
      if (!fits(answer, store.get("network"))) return retry();
      report(store, null);
      return store.set({ answer, problem: "" });
    },
    failed,
  });

  const askCanonical = follow({
    question: () => answered() && { ...chosen(), pixels: answered().of, canonicalize: true },
    ask: predict,
    take(answer) {
      served = answer;
      showCanonical();
    },
    failed,
  });

  const askCompared = follow({
    question() {
      const other = store.get("comparison");
      const entry = other && findVersion(store.get("models"), other.model, other.version);
      return answered() && entry?.layer_sizes[0] === answered().of.length && { ...other, pixels: answered().of };
    },
    ask: predict,
    take: (compared) => store.set({ compared }),
    failed,
  });

  /** With knobs turned, the same network answers both pictures. */
  function showCanonical() {
    const altered = store.get("altered");
    const own = altered && served?.pixels && { ...compute(altered, served.pixels), ...only(served, "done", "pixels", "of") };
    store.set({ canonical: own || served });
  }

  store.watch(["pixels", "networkOf", "altered", "connection"], () => {
    const [altered, network, pixels] = [store.get("altered"), store.get("network"), store.get("pixels")];
    const own = altered ?? (isOnline() ? null : network);
    if (own?.inputs === pixels.length) store.set({ answer: compute(own, pixels) });
    else askPlain();
  });
  store.watch(["answer", "connection"], () => {
    if (!answered()) served = null;
    if (served?.of === store.get("answer")?.of) return showCanonical();
    return askCanonical();
  });
  store.watch(["answer", "comparison", "connection"], () => {
    if (!store.get("comparison")) store.set({ compared: null });
    askCompared();
  });
}

function fits(answer, network) {
  return !network || network.layers.every((layer, k) => layer.neurons === answer.activations[k]?.length);
}

function only(object, ...keys) {
  return Object.fromEntries(keys.map((key) => [key, object[key]]));
}
