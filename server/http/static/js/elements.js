/** Makes elements of the document. */

/** An element with properties and children (elements or texts): element("p", {className: "hint"}, "Draw."). */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Give a select these options, each {value, text, disabled}, and choose one; unchanged options stay as they are. */
export function setOptions(select, options, value) {
  const content = JSON.stringify(options);
  if (select.dataset.content !== content) {
    select.dataset.content = content;
    select.replaceChildren(...options.map((option) => element("option", option)));
  }
  select.value = value;
  select.disabled = options.length < 1;
}
