/** The way back: what has been, step by step, of networks that are never changed. */

const MAX_STEPS = 50;

/**
 * Keep the altered networks of a store. `turn` sets another one: a new step, or a part of the one
 * before as long as the gesture lasts (a stroke, a slider that is held).
 */
export function createHistory(store, onChange) {
  const steps = [];
  let isHeld = false;

  return {
    get length() {
      return steps.length;
    },
    turn(altered, { hold = false } = {}) {
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
      if (steps.length) store.set({ altered: steps.pop() });
      onChange();
    },
    clear() {
      isHeld = false;
      steps.length = 0;
      onChange();
    },
  };
}
