/** The caption of a figure: what it shows, and how to read it. */

import { element, say } from "../../../js/elements.js";

/** Make one: {root, show({title, hint})}. */
export function createCaption() {
  const [name, words] = [element("h3"), element("p", { className: "hint" })];
  return {
    root: element("figcaption", {}, name, words),
    show({ title, hint = "" }) {
      say(name, title);
      say(words, hint);
      words.hidden = !hint;
    },
  };
}
