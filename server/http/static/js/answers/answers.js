/** What the network reads: as drawn and canonicalised, and what another version reads. */

import { byId } from "../elements.js";
import { createCard } from "./card.js";
import { describeDifference, describeDone, describeLabel } from "./words.js";

/** Screen readers are told once nothing has changed for so long. */
const REST_MILLISECONDS = 800;
const NO_LAYOUT =
  "This model has no image layout: it was not measured on images, so there is nothing to canonicalise to.";

export function start({ store, root }) {
  const { drawnAccuracy, problem, spoken } = byId;
  let timer = 0;

  store.watch(["answer", "canonical", "network", "comparison", "compared"], () => {
    const { answer, canonical, network, comparison, compared } = store.state;
    const difference = answer && compared ? describeDifference(answer, compared) : "";
    const done = canonical ? describeDone(canonical.done) : "";
    const text = !network || network.imageLayout ? done : NO_LAYOUT;
    const cards = [
      createCard("As drawn", { answer, network, pixels: answer?.of }),
      createCard("Canonicalised", { answer: canonical, network, pixels: canonical?.pixels, text }),
    ];
    if (comparison) {
      const name = `${comparison.model} ${comparison.version}`;
      cards.push(createCard(name, { answer: compared, network, text: difference }));
    }
    root.querySelector(".cards").replaceChildren(...cards);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const drawn = answer ? `As drawn: ${describeLabel(answer)}. ` : "";
      const seen = canonical ? `Canonicalised: ${describeLabel(canonical)}. ` : "";
      const words = drawn + seen + difference;
      if (spoken.textContent !== words) spoken.textContent = words;
    }, REST_MILLISECONDS);
  });
  store.watch(["problem", "connection", "networkProblem", "chosen"], () => {
    const { connection, problem: refused, networkProblem, chosen } = store.state;
    const text = connection === "ok" ? refused || networkProblem : "";
    problem.textContent = text && `The server does not answer this: ${text}`;
    // It was measured with one network.
    drawnAccuracy.hidden = !chosen.endsWith(`/${drawnAccuracy.dataset.weights}`);
  });
}
