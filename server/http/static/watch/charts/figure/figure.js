/** A figure with its caption: what it shows, controls beside that, and how to read it. */

import { element, say } from "../../../js/elements.js";

/** Make one: {root, tools, show({title, hint})}; `tools` is the place of controls. */
export function createFigure(...parts) {
  const [name, words] = [element("h3"), element("p", { className: "hint" })];
  const tools = element("div", { className: "tools" });
  const root = element("figure", { className: "chart" }, element("figcaption", {}, name, tools, words), ...parts);
  return {
    root,
    tools,
    show({ title, hint = "" }) {
      // Or its name would be all that the caption says.
      if (root.ariaLabel !== title) root.ariaLabel = title;
      say(name, title);
      say(words, hint);
      words.hidden = !hint;
    },
  };
}
