/** The way back, step by step: networks are replaced, never changed. */

const MAX_STEPS = 50;
/** What begins a step: until the next of these, all turns of a knob are one. */
const BEGINNINGS = ["pointerdown", "keydown", "click", "change"];

/** Keep the altered networks of a store; `onChange` is called with the number of steps. */
export function createHistory(store, root, onChange) {
  let steps = [];
  let isBegun = false;

  function set(altered) {
    store.set({ altered });
    onChange(steps.length);
  }

  for (const type of BEGINNINGS) root.addEventListener(type, () => (isBegun = false), { capture: true });
  return {
    turn(altered) {
      if (!isBegun) steps = [...steps, store.state.altered].slice(-MAX_STEPS);
      isBegun = true;
      set(altered);
    },

    undo: () => set(steps.pop() ?? null),

    clear() {
      [steps, isBegun] = [[], false];
      onChange(0);
    },
  };
}
