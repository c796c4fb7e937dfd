/** The confusion matrix: how many images of each label are read as which. */

function createCell(tag, text, scope) {
  const cell = document.createElement(tag);
  cell.textContent = text;
  if (scope) cell.scope = scope;
  return cell;
}

/** counts[label][read]: how often an image of a label is read as another, or as what it is. */
function countReadings(labels, readings, size) {
  const counts = Array.from({ length: size }, () => new Array(size).fill(0));
  labels.forEach((label, k) => {
    counts[label][readings[k]] += 1;
  });
  return counts;
}

/** Make the table; `onChoose` is called with {label, read} of a number that is pressed, or null. */
export function createConfusion(onChoose) {
  const table = document.createElement("table");
  table.className = "confusion";
  let chosen = null;

  function choose(label, read) {
    chosen = chosen?.label === label && chosen.read === read ? null : { label, read };
    for (const button of table.querySelectorAll("button")) press(button);
    onChoose(chosen);
  }

  function press(button) {
    const { label, read } = button.dataset;
    button.setAttribute("aria-pressed", chosen?.label === Number(label) && chosen.read === Number(read));
  }

  function createNumber(number, label, read, most) {
    if (label === read || !number) {
      const cell = createCell("td", number || "");
      if (label === read) cell.className = "is-right";
      return cell;
    }
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: number });
    Object.assign(button.dataset, { label, read });
    button.setAttribute("aria-label", `${number} of ${label} read as ${read}: show only these`);
    button.style.setProperty("--share", `${Math.round(15 + (45 * number) / most)}%`);
    button.addEventListener("click", () => choose(label, read));
    press(button);
    const cell = createCell("td", "");
    cell.append(button);
    return cell;
  }

  return {
    table,
    show(labels, readings, names) {
      const counts = countReadings(labels, readings, names.length);
      const most = Math.max(...counts.flatMap((row, label) => row.filter((_, read) => read !== label)));
      const head = document.createElement("thead");
      const body = document.createElement("tbody");
      head.insertRow().append(createCell("td", ""), ...names.map((name) => createCell("th", name, "col")));
      counts.forEach((row, label) => {
        const numbers = row.map((number, read) => createNumber(number, label, read, most));
        body.insertRow().append(createCell("th", names[label], "row"), ...numbers);
      });
      table.replaceChildren(head, body);
    },
  };
}
