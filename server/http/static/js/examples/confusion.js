/** The confusion matrix: how many images of each label are read as which. */

import { element } from "../elements.js";

/** Make the table of readings, each {label, read} by the places of their names. */
export function createConfusion(readings, names) {
  const counts = names.map(() => names.map(() => 0));
  for (const { label, read } of readings) counts[label][read] += 1;
  const most = Math.max(1, ...counts.flatMap((row, label) => row.filter((_, read) => read !== label)));
  const heading = (scope) => (name) => element("th", { scope }, name);
  const rows = counts.map((row, label) => {
    const cells = row.map((number, read) => {
      const cell = element("td", { className: read === label ? "is-right" : "" }, number || "");
      if (read !== label) cell.style.setProperty("--share", `${(45 * number) / most}%`);
      return cell;
    });
    return element("tr", {}, heading("row")(names[label]), ...cells);
  });
  const head = element("tr", {}, element("td"), ...names.map(heading("col")));
  return element("table", { className: "confusion" }, element("thead", {}, head), element("tbody", {}, ...rows));
}
