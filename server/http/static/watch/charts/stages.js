/**
 * Where a call's time goes: how long each stage takes, over time, and as a bar of shares.
 *
 *     stages(element, {
 *       title: "Where a call's time goes", times,
 *       series: [{ name: "decode", values }, { name: "queue", values }],  // mean seconds of a call, in their order
 *       now: { label: "last 10 s", values: [0.00001, 0.0002] },
 *     });
 *
 * Call it again with the newest values. The lines are logarithmic, so that a stage which once took a second leaves the
 * others' microseconds readable; "Share" shows the same as shares of a call instead. The bar has the shares of the time
 * that is pointed at, or of now.
 */

import { element, startChoice } from "../../js/elements.js";
import { keptIn } from "./figure/kept.js";
import { createTexture } from "./figure/keys.js";
import { strokesOf } from "./figure/strokes.js";
import { formatShare } from "./format.js";
import { lineChart } from "./lines.js";
import { isValue } from "./scale.js";

/**
 * Draw what a call's stages take in an element.
 * @param {HTMLElement} element
 * @param {object} content as that of lineChart, where each series is a stage, and its values are in seconds
 */
export const stages = keptIn(createStages);

function createStages(root) {
  const [chart, bar] = [element("div"), element("div", { className: "share-bar", role: "img" })];
  const choice = element("div", { className: "segments", role: "group", ariaLabel: "Stages as" });
  const choose = (value, text, ariaPressed) =>
    element("button", { type: "button", className: "small", value, ariaPressed }, text);
  choice.append(choose("lines", "Time", "true"), choose("share", "Share", "false"));
  root.classList.add("stages");
  root.replaceChildren(chart, bar);
  let [content, mode] = [null, "lines"];
  startChoice(choice, (chosen) => {
    mode = chosen;
    show(content);
  });

  function show(newest) {
    content = newest;
    lineChart(chart, { unit: "seconds", ...content, mode, tools: choice, hasShares: true, onShow: fill });
  }

  /** Fill the bar with values: a part for each stage, as wide as its share. */
  function fill(values) {
    const total = values.reduce((sum, value) => sum + (isValue(value) ? value : 0), 0);
    const shares = values.map((value) => (isValue(value) && total ? value / total : 0));
    const words = content.series.map(({ name }, index) => `${name} ${formatShare(shares[index])}`);
    bar.ariaLabel = total ? `Shares of a call's time: ${words.join(", ")}` : "No calls";
    while (bar.children.length > values.length) bar.lastChild.remove();
    for (const [index, share] of shares.entries()) {
      const { name, colour, texture } = strokesOf(content.series[index], index);
      const part = bar.children[index] ?? bar.appendChild(createTexture(colour, texture));
      part.style.flexGrow = share;
      part.title = `${name} ${formatShare(share)}`;
      part.hidden = !share;
    }
  }
  return show;
}
