/** What the network reads: as drawn and canonicalised, and what another version reads. */

import { createCard } from "./card.js";
import { describeDifference, describeDone, describeLabel } from "./words.js";
import { announce } from "./announce.js";

const NO_LAYOUT =
  "This model has no image layout: it was not measured on images, so there is nothing to canonicalise to.";

export function start({ store, root }) {
  const cards = root.querySelector(".cards");
  const problem = root.querySelector("#problem");
  const accuracy = root.querySelector("#drawn-accuracy");
  const [plain, canonical, compared] = ["As drawn", "Canonicalised", "Compared"].map(createCard);
  cards.append(plain.root, canonical.root, compared.root);

  store.watch(["answer", "network"], () => {
    const { answer, network } = store.state;
    plain.show({ answer, network, pixels: answer?.of });
  });
  store.watch(["canonical", "network"], () => {
    const { canonical: answer, network } = store.state;
    if (network && !network.imageLayout) canonical.show({ answer: null, text: NO_LAYOUT });
    else canonical.show({ answer, network, pixels: answer?.pixels, text: answer?.done ? describeDone(answer.done) : "" });
  });
  store.watch(["comparison", "compared", "answer"], () => {
    const { comparison, compared: answer, answer: own, network } = store.state;
    compared.root.hidden = !comparison;
    if (!comparison) return;
    compared.name(`${comparison.model} ${comparison.version}`);
    const text = answer && own ? describeDifference(own, answer) : "";
    compared.show({ answer, network, text });
  });
  store.watch(["problem", "connection", "networkProblem"], () => {
    const { connection, problem: refused, networkProblem } = store.state;
    const text = connection === "ok" ? refused || networkProblem : "";
    problem.textContent = text && `The server does not answer this: ${text}`;
  });
  // It was measured with one network.
  store.watch(["chosen"], () => {
    accuracy.hidden = !store.get("chosen").endsWith(`/${accuracy.dataset.weights}`);
  });
  announce({ store, root: root.querySelector("#spoken"), keys: ["answer", "canonical", "compared"], describe });

  function describe() {
    const { answer, canonical: other, compared: third } = store.state;
    const parts = [];
    if (answer) parts.push(`As drawn: ${describeLabel(answer)}.`);
    if (other?.done) parts.push(`Canonicalised: ${describeLabel(other)}.`);
    if (answer && third) parts.push(describeDifference(answer, third));
    return parts.join(" ");
  }
}
