/** The way back, step by step: networks are replaced, never changed. */

const MAX_STEPS = 50;

/** Keep the altered networks of a store; `onChange` is called when there are more steps or fewer. */
export function createHistory(store, onChange) {
  const steps = [];
  let isHeld = false;

  return {
    get length() {
      return steps.length;
    },

    /** Set another network: a new step, or a part of the last one while a knob is held. */
    turn(altered, hold = false) {
      if (!isHeld) steps.push(store.get("altered"));
      if (steps.length > MAX_STEPS) steps.shift();
      isHeld = hold;
      store.set({ altered });
      onChange();
    },

    release() {
      isHeld = false;
    },

    undo() {
      isHeld = false;
      store.set({ altered: steps.pop() ?? null });
      onChange();
    },

    clear() {
      isHeld = false;
      steps.length = 0;
      onChange();
    },
  };
}
