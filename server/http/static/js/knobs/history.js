/** The way back, step by step: networks are replaced, never changed. */

const MAX_STEPS = 50;

/** Keep the altered networks of a store; `onChange` is called with the number of steps. */
export function createHistory(store, onChange) {
  let steps = [];
  let isHeld = false;

  function set(altered) {
    store.set({ altered });
    onChange(steps.length);
  }

  return {
    /** Set another network: a new step, or a part of the last one while a knob is held. */
    turn(altered, hold = false) {
      if (!isHeld) steps = [...steps, store.state.altered].slice(-MAX_STEPS);
      isHeld = hold;
      set(altered);
    },

    release() {
      isHeld = false;
    },

    undo() {
      isHeld = false;
      set(steps.pop() ?? null);
    },

    clear() {
      [steps, isHeld] = [[], false];
      onChange(0);
    },
  };
}
