/** The confusion matrix: how many images of each label are read as which. */

import { element } from "../elements.js";

/** Make the table of readings, each {label, read} by the places of their names. */
export function createConfusion(readings, names) {
  const counts = names.map(() => names.map(() => 0));
  for (const { label, read } of readings) counts[label][read] += 1;
  const most = Math.max(1, ...counts.flatMap((row, label) => row.toSpliced(label, 1)));
  const head = element("tr", {}, element("td"), ...names.map((name) => element("th", { scope: "col" }, name)));
  const rows = counts.map((row, label) => {
    const cells = row.map((number, read) => {
      const isRight = read === label;
      const cell = element("td", { className: isRight ? "is-right" : "" }, number || "");
      cell.style.setProperty("--share", isRight ? "" : `${(45 * number) / most}%`);
      return cell;
    });
    return element("tr", {}, element("th", { scope: "row" }, names[label]), ...cells);
  });
  return element("table", { className: "confusion" }, element("thead", {}, head), element("tbody", {}, ...rows));
}
