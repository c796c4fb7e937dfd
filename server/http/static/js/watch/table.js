/** Fills real tables, and leaves what has not changed as it is: the focus stays where it was. */

import { element } from "../elements.js";

/**
 * Fill a table with rows of cells, the first of which names its row. A cell is a text, or {text, press, share}:
 * `press` makes it a button with that value in data-press, `share` in [-1, 1] adds a bar.
 */
export function fillTable(table, { caption, heads, rows, foot = [] }) {
  table.createCaption().textContent = caption;
  fillRows(table.createTHead(), [heads], true);
  fillRows(table.tBodies[0] ?? table.createTBody(), rows);
  fillRows(table.createTFoot(), foot);
}

function fillRows(part, rows, isHead) {
  while (part.rows.length > rows.length) part.deleteRow(-1);
  for (const [index, cells] of rows.entries()) {
    const row = part.rows[index] ?? part.insertRow();
    while (row.cells.length > cells.length) row.deleteCell(-1);
    for (const [column, cell] of cells.entries()) {
      if (!row.cells[column]) {
        row.append(isHead || !column ? element("th", { scope: isHead ? "col" : "row" }) : element("td"));
      }
      fillCell(row.cells[column], cell.text === undefined ? { text: cell } : cell);
    }
  }
}

function fillCell(place, { text, press, share }) {
  const key = `${text}|${press}|${share}`;
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  if (press === undefined) {
    place.textContent = text;
  } else {
    const button = place.querySelector("button") ?? element("button", { type: "button", className: "link" });
    button.textContent = text;
    button.dataset.press = press;
    if (!button.isConnected) place.replaceChildren(button);
  }
  if (share === undefined) return;
  const bar = element("i", { className: share < 0 ? "negative" : "positive" });
  bar.style.width = `${50 * Math.min(1, Math.abs(share))}%`;
  place.prepend(element("span", { className: "share" }, bar));
}
