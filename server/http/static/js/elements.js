/** Finds and makes elements of the document. */

/** Elements by their ids: `const { undo, padStatus } = byId;` are #undo and #pad-status. */
export const byId = new Proxy(
  {},
  { get: (_, name) => document.getElementById(name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)) },
);

/** An element with properties and children (elements or texts): element("p", {className: "hint"}, "Draw."). */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Change an element's text, unless it is the same: that would be read aloud, or pointed at, once more. */
export function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** A slider in a line with its name and what it says: {root, input, show(number, text)}. */
export function createSlider(name, range, onInput) {
  const input = element("input", { type: "range", ariaLabel: name, ...range });
  const output = element("output");
  input.oninput = () => onInput(input.valueAsNumber);
  return {
    root: element("label", { className: "slider" }, element("span", {}, name), input, output),
    input,
    show(number, text) {
      input.value = number;
      input.ariaValueText = output.value = text;
    },
  };
}

/** Have one of a group's buttons pressed at a time; `onChoose` is called with its value. */
export function startChoice(group, onChoose) {
  const buttons = [...group.querySelectorAll("button")];
  for (const button of buttons) {
    button.onclick = () => {
      for (const one of buttons) one.ariaPressed = one === button;
      onChoose(button.value);
    };
  }
}

/** Give a select these options, each {value, text, disabled}, and choose one; unchanged options stay as they are. */
export function setOptions(select, options, value) {
  const content = JSON.stringify(options);
  if (select.dataset.content !== content) {
    select.dataset.content = content;
    select.replaceChildren(...options.map((option) => element("option", option)));
  }
  select.value = value;
  select.disabled = !options.length;
}
