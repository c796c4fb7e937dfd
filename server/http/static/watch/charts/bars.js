/**
 * Shares as horizontal bars, with their names, percentages and counts: labels predicted, calls by version, errors by
 * code.
 *
 *     shareBars(element, { title: "Labels predicted", rows: [{ name: "7", value: 120 }, { name: "1", value: 88 }] });
 *
 * Call it again with the newest values. The twelve largest are shown, and what the others add up to.
 */

import { element, say } from "../../js/elements.js";
import { formatOf, formatShare } from "./format.js";
import { isValue } from "./scale.js";

/** How many rows have bars of their own. */
const MAX_ROWS = 12;
const charts = new WeakMap();

/**
 * Draw shares in an element.
 * @param {HTMLElement} element
 * @param {object} content
 * @param {string} content.title what it shows; the table's caption
 * @param {string} [content.hint] a sentence on how to read it
 * @param {{name: string, value: number, colour?: string}[]} content.rows what is shared out; colours are variables of the stylesheets
 * @param {"count"|"rate"|"number"|"seconds"|"bytes"} [content.unit] of the values beside the shares; "count" if none is given
 * @param {"value"|"given"} [content.order] the largest first, or as they are given
 * @param {number} [content.total] of what they are shares, if it is not their sum: such as all calls, for errors
 * @param {string} [content.nothing] what is said if there is nothing to share
 */
export function shareBars(element, content) {
  if (!charts.has(element)) charts.set(element, createBars(element));
  charts.get(element)(content);
}

/** The rows that are shown, with the rest as the last: [{name, value, colour}]. */
export function largest(rows, order, most = MAX_ROWS) {
  const there = rows.filter(({ value }) => isValue(value));
  const sorted = there.toSorted((a, b) => b.value - a.value);
  if (there.length <= most) return order === "given" ? there : sorted;
  const kept = new Set(sorted.slice(0, most));
  const rest = sorted.slice(most);
  const value = rest.reduce((sum, row) => sum + row.value, 0);
  const shown = order === "given" ? there.filter((row) => kept.has(row)) : [...kept];
  return [...shown, { name: `${rest.length} others`, value, isRest: true }];
}

function createBars(root) {
  const [title, hint] = [element("h3"), element("p", { className: "hint" })];
  const [body, caption] = [element("tbody"), element("caption", { className: "visually-hidden" })];
  const table = element("table", { className: "bars" }, caption, body);
  const nothing = element("p", { className: "note" });
  root.replaceChildren(
    element("figure", { className: "chart" }, element("figcaption", {}, title, hint), table, nothing),
  );

  return function show(content) {
    const { rows, unit = "count", order = "value" } = content;
    const shown = largest(rows, order);
    const total = content.total ?? shown.reduce((sum, { value }) => sum + value, 0);
    const most = Math.max(...shown.map(({ value }) => value));
    say(title, content.title);
    say(hint, content.hint ?? "");
    say(caption, content.title);
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
  return element("tr", {}, element("th", { scope: "row" }), element("td", {}, element("span")), number(), number());
}

function fillRow(row, { name, value, colour = "series-1", isRest = false }, { total, most, format }) {
  const [title, bar, share, count] = row.cells;
  if (title.title !== name) title.textContent = title.title = name;
  bar.firstChild.className = isRest ? "bar rest" : "bar";
  bar.firstChild.style.width = `${(100 * value) / most}%`;
  bar.firstChild.style.setProperty("--ink", `var(--${isRest ? "muted" : colour})`);
  say(share, formatShare(value / total));
  say(count, format(value));
}
