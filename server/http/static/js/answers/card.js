/** Shows one answer: its picture, its label, and the outputs as bars with numbers. */

import { element } from "../elements.js";
import { endsOf, paintPixels } from "../picture.js";
import { describeTime, format } from "./words.js";

const BRIGHT = 0.5;

/** Returns the card's element, `name(title)` to give it another name, and `show(...)` to fill it. */
export function createCard(title) {
  const heading = element("h3");
  const picture = element("canvas", { className: "picture" });
  const label = element("span", { className: "label" });
  const activation = element("span", { className: "note number" });
  const dim = element("p", { className: "note" });
  const words = element("p", { className: "note" });
  const time = element("p", { className: "note time" });
  const body = element("tbody");
  const table = element("table", { className: "outputs" }, element("caption", { className: "visually-hidden" }), body);
  const parts = [picture, element("p", { className: "reading" }, label, activation), dim, table, words, time];
  const root = element("article", { className: "card" }, heading, ...parts);
  picture.setAttribute("role", "img");
  name(title);
  let rows = [];
  let names = null;

  function name(text) {
    heading.textContent = text;
    root.setAttribute("aria-label", text);
    picture.setAttribute("aria-label", `The picture, ${text.toLowerCase()}`);
    table.caption.textContent = `The outputs, ${text.toLowerCase()}`;
  }

  /** `pixels` are those of the picture, `text` is what else there is to say, also without an answer. */
  function show({ answer, network, pixels, text = "" }) {
    for (const part of parts) part.hidden = !answer;
    words.hidden = !text;
    words.textContent = text;
    if (!answer) return;
    const shape = pixels && network?.shape;
    picture.hidden = !shape;
    if (shape) paintPixels(picture, pixels, shape, endsOf(network.inputRange) ?? [0, 1]);
    const outputs = answer.activations.at(-1);
    label.textContent = answer.labelNames[answer.label];
    activation.textContent = format(outputs[answer.label]);
    dim.textContent = "No output is bright: the network does not know this.";
    dim.hidden = network?.layers.at(-1).activation !== "sigmoid" || outputs[answer.label] >= BRIGHT;
    time.textContent = describeTime(answer);
    if (names !== answer.labelNames.join()) {
      names = answer.labelNames.join();
      rows = answer.labelNames.map(createRow);
      body.replaceChildren(...rows.map(({ row }) => row));
    }
    const largest = outputs.reduce((most, output) => Math.max(most, Math.abs(output)), 1);
    outputs.forEach((output, k) => rows[k].show(output, largest, k === answer.label));
  }

  return { root, name, show };
}

function createRow(name) {
  const bar = element("span", { className: "bar" });
  const mark = element("span", { className: "visually-hidden" }, " brightest");
  const number = element("td", { className: "number" });
  const title = element("th", { scope: "row", title: name }, name);
  const row = element("tr", {}, title, element("td", {}, bar, mark), number);
  return {
    row,
    show(output, largest, isBrightest) {
      row.classList.toggle("brightest", isBrightest);
      mark.hidden = !isBrightest;
      bar.style.width = `${(100 * Math.abs(output)) / largest}%`;
      bar.classList.toggle("below", output < 0);
      number.textContent = format(output);
    },
  };
}
