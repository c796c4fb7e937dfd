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
  const { state } = store;
  const isOnline = () => state.connection === "ok";
  const isReady = () => isOnline() && state.chosen !== "" && state.networkOf === state.chosen;
  let problems = {};
  let served = null;

  function note(question, problem) {
    problems[question] = problem;
    store.set({ problem: Object.values(problems).find(Boolean) ?? "" });
  }

  const failed = (question) => (error) => {
    report(store, error);
    if (!isOnline()) return;
    if (error.status === 404) retry();
    const wait = error.retryAfterSeconds;
    note(question, wait ? `${error.message}; the page asks again in ${wait} s` : error.message);
  };

  const askPlain = follow({
    question() {
      const { model, version, pixels, answer, altered } = state;
      const isThere = answer?.source === "server" && answer.of === pixels;
      return isReady() && !altered && !isThere && { model, version, pixels };
    },
    ask: predict,
    take(answer) {
      note("plain", "");
      if (!fits(answer, state.network)) retry();
      else store.set({ answer });
    },
    failed: failed("plain"),
  });

  // The others follow the plain answer, of whose pixels they are, as they stand beside it.
  const askCanonical = follow({
    question() {
      const { model, version, models, answer } = state;
      const pixels = isReady() && answer?.of;
      const entry = findVersion(models, model, version);
      // The server refuses to canonicalise what is no image.
      const isImage = entry?.image_layout || entry?.input_range === "[0, 1]";
      const isSquare = Number.isInteger(Math.sqrt(entry?.layer_sizes[0]));
      return pixels && isImage && isSquare && served?.of !== pixels && { model, version, pixels, canonicalize: true };
    },
    ask: predict,
    take(answer) {
      note("canonical", "");
      served = answer;
      showCanonical();
    },
    failed: failed("canonical"),
  });

  const askCompared = follow({
    question() {
      const { comparison, compared, models, answer } = state;
      const pixels = isReady() && comparison && answer?.of;
      const isThere = compared?.of === pixels && isOf(compared, comparison);
      if (!pixels || isThere) return null;
      const { model, version } = comparison;
      return findVersion(models, model, version)?.layer_sizes[0] === pixels.length && { model, version, pixels };
    },
    ask: predict,
    take(compared) {
      note("compared", "");
      store.set({ compared });
    },
    failed: failed("compared"),
  });

  /** With knobs turned, the same network answers both pictures. */
  function showCanonical() {
    let canonical = served;
    if (state.altered && served?.pixels) {
      const { done, pixels, of } = served;
      canonical = { ...compute(state.altered, pixels), done, pixels, of };
    }
    store.set({ canonical });
  }

  store.watch(["networkOf"], () => {
    problems = {};
    store.set({ problem: "" });
  });
  store.watch(["pixels", "chosen", "networkOf", "altered", "connection"], () => {
    const { altered, network, pixels } = state;
    const own = altered ?? (isOnline() ? null : network);
    if (own?.inputs === pixels.length) store.set({ answer: compute(own, pixels) });
    else askPlain();
  });
  store.watch(["answer", "chosen", "connection"], () => {
    if (!state.answer || !isOnline()) served = null;
    if (served && served.of === state.answer.of) showCanonical();
    else askCanonical();
  });
  store.watch(["answer", "chosen", "comparison", "connection"], () => {
    if (!isOf(state.compared, state.comparison)) store.set({ compared: null });
    askCompared();
  });
}

function isOf(answer, version) {
  return answer?.model === version?.model && answer?.version === version?.version;
}

function fits(answer, network) {
  return !network || network.layers.every((layer, k) => layer.neurons === answer.activations[k]?.length);
}
