/** Chooses the calls that durations are of: all, those of a method, or those of a version. */

import { byId, element } from "../../js/elements.js";
import { methods } from "../data/figures.js";
import { titleOf } from "./words.js";

const ALL = "{}";

/**
 * Returns a function that keeps the choice to what a View has, and returns what is chosen: a `method`'s name, or a
 * `version`, {model, version}, or neither for all calls; and `key`, a text for it.
 */
export function startChoice({ onChange }) {
  const { of } = byId;
  of.onchange = onChange;
  let shown = "";

  return (view) => {
    const groups = [
      ["Method", methods(view.now).map(({ method }) => [method, { method }])],
      ["Version", view.versions.map((one) => [titleOf(one), { version: { model: one.model, version: one.version } }])],
    ];
    const content = JSON.stringify(groups);
    if (content !== shown) {
      shown = content;
      const { value } = of;
      of.replaceChildren(element("option", { value: ALL }, "All calls"), ...groups.map(createGroup));
      of.value = value;
      // What was chosen may be gone.
      if (of.selectedIndex < 0) of.value = ALL;
    }
    return { key: of.value, ...JSON.parse(of.value) };
  };
}

function createGroup([label, options]) {
  const made = options.map(([text, value]) => element("option", { value: JSON.stringify(value) }, text));
  return element("optgroup", { label, hidden: !made.length }, ...made);
}
