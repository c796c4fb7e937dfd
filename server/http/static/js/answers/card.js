/** Shows one answer: its picture, its label, and the outputs as bars with numbers. */

import { element } from "../elements.js";
import { endsOf, paintPixels } from "../picture.js";
import { describeTime, format } from "./words.js";

const BRIGHT = 0.5;

/** A card; `pixels` are those of its picture, `text` is what else there is to say, also without an answer. */
export function createCard(name, { answer, network, pixels, text }) {
  const card = element("article", { className: "card", ariaLabel: name });
  const add = (...parts) => card.appendChild(element(...parts));
  const note = (words) => words && add("p", { className: "note" }, words);
  add("h3", {}, name);
  if (answer) {
    const { label, labelNames, activations } = answer;
    const outputs = activations.at(-1);
    const largest = outputs.reduce((most, output) => Math.max(most, Math.abs(output)), 1);
    if (pixels && network?.shape) {
      const ariaLabel = `The picture, ${name.toLowerCase()}`;
      const picture = add("canvas", { className: "picture", role: "img", ariaLabel });
      paintPixels(picture, pixels, network.shape, endsOf(network.inputRange));
    }
    const title = element("span", { className: "label" }, labelNames[label]);
    add("p", { className: "reading" }, title, element("span", { className: "note number" }, format(outputs[label])));
    const isDim = network?.layers.at(-1).activation === "sigmoid" && outputs[label] < BRIGHT;
    note(isDim && "No output is bright: the network does not know this.");
    const caption = element("caption", { className: "visually-hidden" }, `The outputs, ${name.toLowerCase()}`);
    const rows = labelNames.map((each, k) => createRow(each, outputs[k], largest, k === label));
    add("table", { className: "outputs" }, caption, ...rows);
  }
  note(text);
  note(answer && describeTime(answer));
  return card;
}

function createRow(title, output, largest, isBrightest) {
  const bar = element("span", { className: output < 0 ? "bar below" : "bar" });
  bar.style.width = `${(100 * Math.abs(output)) / largest}%`;
  const mark = isBrightest ? [element("span", { className: "visually-hidden" }, " brightest")] : [];
  return element(
    "tr",
    { className: isBrightest ? "brightest" : "" },
    element("th", { scope: "row", title }, title),
    element("td", {}, bar, ...mark),
    element("td", { className: "number" }, format(output)),
  );
}
