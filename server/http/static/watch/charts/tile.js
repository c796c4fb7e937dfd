/**
 * A headline number with its unit, and a line below, such as the total since the start.
 *
 *     tile(element, { title: "Calls", value: "12.3 calls/s", detail: "4,567 since the start" });
 *
 * Call it again with the newest values.
 */

import { element, say } from "../../js/elements.js";
import { keptIn } from "./figure/kept.js";

/**
 * Show a number in an element.
 * @param {HTMLElement} element
 * @param {object} content
 * @param {string} content.title what the number is
 * @param {string} content.value its text; what follows the first space is its unit
 * @param {string} [content.detail] a line below
 * @param {""|"good"|"bad"} [content.state] how it is, beside what its texts say
 */
export const tile = keptIn(createTile);

function createTile(root) {
  const [title, detail] = [element("dt"), element("dd", { className: "note" })];
  const [number, unit] = [element("span"), element("span", { className: "unit" })];
  const value = element("dd", { className: "value" }, number, unit);
  root.replaceChildren(element("dl", { className: "tile" }, title, value, detail));
  return function show(content) {
    const [digits, ...words] = content.value.split(" ");
    say(title, content.title);
    say(number, digits);
    say(unit, words.length ? ` ${words.join(" ")}` : "");
    say(detail, content.detail ?? "");
    value.className = `value ${content.state ?? ""}`;
  };
}
