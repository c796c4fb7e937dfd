/** Keeps the answers true to the drawing: the server's, or the page's own where knobs are turned. */

import { follow } from "./asking.js";
import { report } from "./connection.js";
import { findVersion } from "./models/list.js";
import { brightest } from "./network.js";

/** What a network answers, as an Answer that the page has computed. */
function compute(network, pixels) {
  const activations = network.forward(pixels).activations.map((layer) => Array.from(layer));
  const { labelNames, model, version } = network;
  return { source: "page", label: brightest(activations.at(-1)), activations, labelNames, model, version, of: pixels };
}

/** Keep store.answer, store.canonical and store.compared true to the pixels; `retry` loads the models again. */
export function start({ store, retry }) {
  const { state } = store;
  const isOnline = () => state.connection === "ok";
  const isReady = () => isOnline() && state.chosen && state.networkOf === state.chosen;
  let problems = {};
  let served = null;

  function note(kind, problem) {
    problems[kind] = problem;
    store.set({ problem: Object.values(problems).find(Boolean) ?? "" });
  }

  /** Ask for a kind of answers; what is refused is said until the next one is answered. */
  const ask = (kind, question, take) =>
    follow({
      question: () => isReady() && question(state),
      take(answer) {
        note(kind, "");
        take(answer);
      },
      failed(error) {
        report(store, error);
        if (!isOnline()) return;
        if (error.status === 404) retry();
        const wait = error.retryAfterSeconds;
        note(kind, wait ? `${error.message}; the page retries in ${wait} s` : error.message);
      },
    });

  const askPlain = ask(
    "plain",
    ({ model, version, pixels, answer, altered }) =>
      !altered && (answer?.source !== "server" || answer.of !== pixels) && { model, version, pixels },
    (answer) => {
      const fits = (layer, k) => layer.neurons === answer.activations[k]?.length;
      if (state.network?.layers.every(fits) ?? true) store.set({ answer });
      else retry();
    },
  );

  // The others follow the plain answer, of whose pixels they are, as they stand beside it.
  const askCanonical = ask(
    "canonical",
    ({ model, version, models, answer }) => {
      // The server refuses to canonicalise other images, and what is none.
      const { rows, columns } = findVersion(models, model, version)?.image_layout ?? {};
      const pixels = rows && rows === columns && answer?.of;
      return pixels && served?.of !== pixels && { model, version, pixels, canonicalize: true };
    },
    (answer) => {
      served = answer;
      showCanonical();
    },
  );

  const askCompared = ask(
    "compared",
    ({ comparison, compared, answer }) =>
      comparison && answer && compared?.of !== answer.of && { ...comparison, pixels: answer.of },
    (compared) => store.set({ compared }),
  );

  /** With knobs turned, the same network answers both pictures. */
  function showCanonical() {
    const own = state.altered && served && { ...compute(state.altered, served.pixels), of: served.of };
    store.set({ canonical: own ? { ...served, ...own } : served });
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
  store.watch(["comparison"], () => store.set({ compared: null }));
  store.watch(["answer", "chosen", "comparison", "connection"], askCompared);
}
