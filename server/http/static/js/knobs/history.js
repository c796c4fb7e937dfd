/** The way back, step by step: networks are replaced, never changed. */

const MAX_STEPS = 50;
/** What begins a step: until the next of these, all turns of a knob are one. */
const BEGINNINGS = ["pointerdown", "keydown", "click", "change"];

/** Have a button undo what is done below `root`; returns turn(network), null for the server's. */
export function keepSteps(store, root, button) {
  let steps = [];
  let isBegun = false;

  function set(altered) {
    store.set({ altered });
    button.disabled = !steps.length;
  }

  for (const type of BEGINNINGS) root.addEventListener(type, () => (isBegun = false), { capture: true });
  button.onclick = () => set(steps.pop());
  store.watch(["network"], () => {
    [steps, isBegun, button.disabled] = [[], false, true];
  });
  return (altered) => {
    if (!isBegun) steps = [...steps, store.state.altered].slice(-MAX_STEPS);
    isBegun = true;
    set(altered);
  };
}
