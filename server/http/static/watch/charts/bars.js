/**
 * Shares as horizontal bars, with their names, percentages and counts, such as of labels predicted.
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
 * @param {{name: string, value: number}[]} content.rows what is shared out
 * @param {string} [content.unit] of the values beside the shares, see format.js; "count" if none is given
 */
export const shareBars = keptIn(createBars);

/** The rows that are shown, the largest first and the rest as the last: [{name, value, isRest}]. */
function largest(rows) {
  const sorted = rows.filter(({ value }) => isValue(value)).toSorted((a, b) => b.value - a.value);
  if (sorted.length <= MAX_ROWS) return sorted;
  const rest = sorted.slice(MAX_ROWS);
  const value = rest.reduce((sum, row) => sum + row.value, 0);
  return [...sorted.slice(0, MAX_ROWS), { name: `${rest.length} others`, value, isRest: true }];
}

function createBars(root) {
  const [body, name] = [element("tbody"), element("caption", { className: "visually-hidden" })];
  const table = element("table", { className: "bars" }, name, body);
  const nothing = element("p", { className: "note" });
  const figure = createFigure(table, nothing);
  root.replaceChildren(figure.root);

  return function show(content) {
    const { rows, unit = "count" } = content;
    const shown = largest(rows);
    const total = shown.reduce((sum, { value }) => sum + value, 0);
    const most = Math.max(...shown.map(({ value, isRest }) => (isRest ? 0 : value)));
    figure.show(content);
    say(name, content.title);
    say(nothing, total > 0 ? "" : "Nothing yet.");
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
function fillRow({ cells }, { name, value, isRest = false }, { total, most, format }) {
  const [title, { firstChild: bar }, share, count] = cells;
  if (title.title !== name) title.textContent = title.title = name;
  bar.hidden = isRest;
  bar.style.width = `${most ? (100 * value) / most : 0}%`;
  say(share, formatShare(value / total));
  say(count, format(value));
}
