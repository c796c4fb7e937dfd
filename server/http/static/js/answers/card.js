/** Shows one answer: its picture, its label, and the outputs as bars with numbers. */

import { element } from "../elements.js";
import { endsOf, paintPixels } from "../picture.js";
import { describeTime, format } from "./words.js";

const BRIGHT = 0.5;

/** A card; `pixels` are those of its picture, `text` is what else there is to say, also without an answer. */
export function createCard(name, { answer, network, pixels, text }) {
  const note = (words) => element("p", { className: "note" }, words);
  const parts = [element("h3", {}, name)];
  if (answer) {
    const { label, labelNames, activations } = answer;
    const outputs = activations.at(-1);
    const isDim = network?.layers.at(-1).activation === "sigmoid" && outputs[label] < BRIGHT;
    const largest = outputs.reduce((most, output) => Math.max(most, Math.abs(output)), 1);
    if (pixels && network?.shape) {
      const ariaLabel = `The picture, ${name.toLowerCase()}`;
      const picture = element("canvas", { className: "picture", role: "img", ariaLabel });
      paintPixels(picture, pixels, network.shape, endsOf(network.inputRange) ?? undefined);
      parts.push(picture);
    }
    parts.push(
      element(
        "p",
        { className: "reading" },
        element("span", { className: "label" }, labelNames[label]),
        element("span", { className: "note number" }, format(outputs[label])),
      ),
      ...(isDim ? [note("No output is bright: the network does not know this.")] : []),
      element(
        "table",
        { className: "outputs" },
        element("caption", { className: "visually-hidden" }, `The outputs, ${name.toLowerCase()}`),
        ...labelNames.map((title, k) => createRow(title, outputs[k], largest, k === label)),
      ),
    );
  }
  if (text) parts.push(note(text));
  if (answer) parts.push(note(describeTime(answer)));
  return element("article", { className: "card", ariaLabel: name }, ...parts);
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
