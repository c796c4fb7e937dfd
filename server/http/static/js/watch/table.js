/** Fills real tables, and leaves rows that have not changed as they are: the focus stays where it was. */

import { element } from "../elements.js";

/** Fill a table with rows of cells, which are texts or elements, or lists of them; the first names its row. */
export function fillTable(table, { caption, heads, rows, foot = [] }) {
  table.createCaption().textContent = caption;
  fillRows(table.createTHead(), [heads], "col");
  fillRows(table.tBodies[0] ?? table.createTBody(), rows);
  fillRows(table.createTFoot(), foot);
}

function fillRows(part, rows, scope) {
  for (const [index, cells] of rows.entries()) {
    const made = cells.map((cell, column) => {
      const isHead = scope || !column;
      return element(isHead ? "th" : "td", isHead ? { scope: scope ?? "row" } : {}, ...[cell].flat());
    });
    const row = element("tr", {}, ...made);
    const old = part.rows[index];
    if (!old) part.append(row);
    else if (!old.isEqualNode(row)) old.replaceWith(row);
  }
  while (part.rows.length > rows.length) part.deleteRow(-1);
}

/** A cell that can be pressed; the table's click has its value. */
export const link = (text, value) => element("button", { className: "link", value }, text);
