/** The confusion matrix: how many images of each label are read as which. */

import { element } from "../elements.js";

/** Make the table; `onChoose` is called with the {label, read} of a number that is pressed, or null. */
export function createConfusion(onChoose) {
  const table = element("table", { className: "confusion" });
  let chosen = "";

  function createNumber(number, label, read, most) {
    if (label === read || !number) return element("td", { className: label === read ? "is-right" : "" }, number || "");
    const key = `${label} read as ${read}`;
    const button = element("button", { type: "button", value: key, ariaPressed: chosen === key }, number);
    button.ariaLabel = `${number} of ${key}: show only these`;
    button.style.setProperty("--share", `${Math.round(15 + (45 * number) / most)}%`);
    button.addEventListener("click", () => {
      chosen = chosen === key ? "" : key;
      for (const each of table.querySelectorAll("button")) each.ariaPressed = each.value === chosen;
      onChoose(chosen ? { label, read } : null);
    });
    return element("td", {}, button);
  }

  return {
    table,
    /** Count readings, each {label, read} by the places of their names. */
    show(readings, names) {
      const counts = names.map(() => names.map(() => 0));
      for (const { label, read } of readings) counts[label][read] += 1;
      const most = Math.max(...counts.flatMap((row, label) => row.filter((_, read) => read !== label)));
      const heading = (scope) => (name) => element("th", { scope }, name);
      const rows = counts.map((row, label) => {
        const numbers = row.map((number, read) => createNumber(number, label, read, most));
        return element("tr", {}, heading("row")(names[label]), ...numbers);
      });
      const head = element("tr", {}, element("td"), ...names.map(heading("col")));
      table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
    },
  };
}
