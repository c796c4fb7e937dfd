/**
 * Shares as horizontal bars, with their names, percentages and counts: labels predicted, calls by version, errors by
 * code.
 *
 *     shareBars(element, { title: "Labels predicted", rows: [{ name: "7", value: 120 }, { name: "1", value: 88 }] });
 *
 * Call it again with the newest values. The twelve largest are shown, and what the others add up to.
 */

import { element, say } from "../../js/elements.js";
import { createFigure } from "./figure/figure.js";
import { keptIn } from "./figure/kept.js";
import { formatOf, formatShare } from "./format.js";
import { isValue } from "./scale.js";

/** How many rows have bars of their own. */
const MAX_ROWS = 12;

/**
 * Draw shares in an element.
 * @param {HTMLElement} element
 * @param {object} content
 * @param {string} content.title what it shows; the table's caption
 * @param {string} [content.hint] a sentence on how to read it
 * @param {{name: string, value: number, colour?: string}[]} content.rows what is shared out; colours are variables of
 *     the stylesheets
 * @param {string} [content.unit] of the values beside the shares, see format.js; "count" if none is given
 * @param {"value"|"given"} [content.order] the largest first, or as they are given
 * @param {number} [content.total] of what they are shares, if it is not their sum: such as all calls, for errors
 * @param {string} [content.nothing] what is said if there is nothing to share
 */
export const shareBars = keptIn(createBars);

/** The rows that are shown, with the rest as the last: [{name, value, colour}]. */
function largest(rows, order) {
  const there = rows.filter(({ value }) => isValue(value));
  const sorted = there.toSorted((a, b) => b.value - a.value);
  if (there.length <= MAX_ROWS) return order === "given" ? there : sorted;
  const kept = new Set(sorted.slice(0, MAX_ROWS));
  const rest = sorted.slice(MAX_ROWS);
  const value = rest.reduce((sum, row) => sum + row.value, 0);
  const shown = order === "given" ? there.filter((row) => kept.has(row)) : [...kept];
  return [...shown, { name: `${rest.length} others`, value, isRest: true }];
}

function createBars(root) {
  const [body, name] = [element("tbody"), element("caption", { className: "visually-hidden" })];
  const table = element("table", { className: "bars" }, name, body);
  const nothing = element("p", { className: "note" });
  const figure = createFigure(table, nothing);
  root.replaceChildren(figure.root);

  return function show(content) {
    const { rows, unit = "count", order = "value" } = content;
    const shown = largest(rows, order);
    const total = content.total ?? shown.reduce((sum, { value }) => sum + value, 0);
    const most = Math.max(...shown.map(({ value, isRest }) => (isRest ? 0 : value)));
    figure.show(content);
    say(name, content.title);
    say(nothing, total > 0 ? "" : (content.nothing ?? "Nothing yet."));
    table.hidden = !(total > 0);
    if (table.hidden) return;
    while (body.rows.length > shown.length) body.deleteRow(-1);
    for (const [index, row] of shown.entries()) {
      fillRow(body.rows[index] ?? body.appendChild(createRow()), row, { total, most, format: formatOf(unit) });
    }
  };
}

function createRow() {
  const number = () => element("td", { className: "number" });
  const bar = element("td", {}, element("span", { className: "bar" }));
  return element("tr", {}, element("th", { scope: "row" }), bar, number(), number());
}

/** The rest has no bar: among many small ones it is by far the longest. */
function fillRow({ cells }, { name, value, colour = "series-1", isRest = false }, { total, most, format }) {
  const [title, { firstChild: bar }, share, count] = cells;
  if (title.title !== name) title.textContent = title.title = name;
  bar.hidden = isRest;
  bar.style.width = `${most ? (100 * value) / most : 0}%`;
  bar.style.setProperty("--ink", `var(--${colour})`);
  say(share, formatShare(value / total));
  say(count, format(value));
}
