/** Fills real tables, and leaves what has not changed as it is: the focus stays where it was. */

/**
 * Fill a table. `heads` are the columns' headings, `rows` arrays of cells, the first of which names
 * its row. A cell is a text, or {text, press, share}: `press` makes it a button with that value in
 * data-press, `share` in [-1, 1] adds a bar.
 */
export function fillTable(table, { caption, heads, rows, foot = [] }) {
  const titles = [table.caption ?? table.createCaption(), caption];
  if (titles[0].textContent !== titles[1]) titles[0].textContent = caption;
  const head = table.tHead ?? table.createTHead();
  fillRows(head, [heads], () => "col");
  fillRows(table.tBodies[0] ?? table.createTBody(), rows, (column) => (column ? null : "row"));
  fillRows(table.tFoot ?? table.createTFoot(), foot, (column) => (column ? null : "row"));
}

function fillRows(part, rows, scopeOf) {
  while (part.rows.length > rows.length) part.deleteRow(-1);
  for (const [index, cells] of rows.entries()) {
    const row = part.rows[index] ?? part.insertRow();
    while (row.cells.length > cells.length) row.deleteCell(-1);
    for (const [column, cell] of cells.entries()) {
      if (!row.cells[column]) {
        const scope = scopeOf(column);
        row.append(document.createElement(scope ? "th" : "td"));
        if (scope) row.cells[column].scope = scope;
      }
      fillCell(row.cells[column], typeof cell === "string" ? { text: cell } : cell);
    }
  }
}

function fillCell(place, { text, press, share }) {
  const key = `${text}|${press}|${share}`;
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  const old = place.querySelector("button");
  if (old && press !== undefined) {
    old.textContent = text;
    old.dataset.press = press;
    return;
  }
  place.textContent = press === undefined && share === undefined ? text : "";
  if (press !== undefined) {
    const button = place.appendChild(document.createElement("button"));
    Object.assign(button, { type: "button", className: "link", textContent: text });
    button.dataset.press = press;
  }
  if (share === undefined) return;
  const bar = place.appendChild(document.createElement("span")).appendChild(document.createElement("i"));
  bar.parentElement.className = "share";
  bar.className = share < 0 ? "negative" : "positive";
  bar.style.width = `${50 * Math.min(1, Math.abs(share))}%`;
  place.append(text);
}
