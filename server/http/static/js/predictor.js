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
  const isReady = () => isOnline() && store.get("chosen") !== "" && store.get("networkOf") === store.get("chosen");
  const chosen = () => ({ model: store.get("model"), version: store.get("version") });
  let served = null;

  function failed(error) {
    report(store, error);
    if (error.status === 404) retry();
    const wait = error.retryAfterSeconds;
    store.set({ problem: wait ? `${error.message}; the page asks again in ${wait} s` : error.message });
  }

  const askPlain = follow({
    question() {
      const [pixels, answer] = [store.get("pixels"), store.get("answer")];
      const isThere = answer?.source === "server" && answer.of === pixels;
      return isReady() && !store.get("altered") && !isThere && { ...chosen(), pixels };
    },
    ask: predict,
    take(answer) {
      if (!fits(answer, store.get("network"))) retry();
      else store.set({ answer, problem: "" });
    },
    failed,
  });

  // The others follow the plain answer, of whose pixels they are, as they stand beside it.
  const askCanonical = follow({
    question() {
      const pixels = isReady() && store.get("answer")?.of;
      const entry = findVersion(store.get("models"), store.get("model"), store.get("version"));
      // The server refuses to canonicalise what is no image.
      const isImage = entry?.image_layout || entry?.input_range === "[0, 1]";
      const isSquare = Number.isInteger(Math.sqrt(entry?.layer_sizes[0]));
      return pixels && isImage && isSquare && served?.of !== pixels && { ...chosen(), pixels, canonicalize: true };
    },
    ask: predict,
    take(answer) {
      served = answer;
      showCanonical();
    },
    failed,
  });

  const askCompared = follow({
    question() {
      const [other, compared, pixels] = [store.get("comparison"), store.get("compared"), store.get("answer")?.of];
      const entry = other && findVersion(store.get("models"), other.model, other.version);
      const isThere = compared?.of === pixels && isOf(compared, other);
      return isReady() && pixels && entry?.layer_sizes[0] === pixels.length && !isThere && { ...other, pixels };
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

  store.watch(["pixels", "chosen", "networkOf", "altered", "connection"], () => {
    const [altered, network, pixels] = [store.get("altered"), store.get("network"), store.get("pixels")];
    const own = altered ?? (isOnline() ? null : network);
    if (own?.inputs === pixels.length) store.set({ answer: compute(own, pixels) });
    else askPlain();
  });
  store.watch(["answer", "chosen", "connection"], () => {
    if (!store.get("answer") || !isOnline()) served = null;
    if (served && served.of === store.get("answer").of) showCanonical();
    else askCanonical();
  });
  store.watch(["answer", "chosen", "comparison", "connection"], () => {
    if (!isOf(store.get("compared"), store.get("comparison"))) store.set({ compared: null });
    askCompared();
  });
}

function isOf(answer, version) {
  return answer?.model === version?.model && answer?.version === version?.version;
}

function fits(answer, network) {
  return !network || network.layers.every((layer, k) => layer.neurons === answer.activations[k]?.length);
}

function only(object, ...keys) {
  return Object.fromEntries(keys.map((key) => [key, object[key]]));
}
