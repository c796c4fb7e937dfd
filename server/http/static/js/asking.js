/** Asks one question at a time, and the newest one next, however often the question changes meanwhile. */

import { predict } from "./api.js";

/**
 * Returns a function to call whenever the question may have changed. `question()` returns {model, version, pixels,
 * canonicalize}, or something false when there is nothing to ask; `take(answer)` gets the answer, with the pixels as
 * `of`, and `failed(error)` what went wrong instead. Answers of a model or version that is no longer asked are dropped
 * at once; nothing is asked while nobody sees the page.
 */
export function follow({ question, take, failed }) {
  let flight = null;
  let isStale = false;

  async function next() {
    const asked = question();
    if (flight) {
      isStale = true;
      if (asked?.model !== flight.model || asked.version !== flight.version) flight.controller.abort();
      return;
    }
    if (!asked || document.hidden) return;
    isStale = false;
    const controller = new AbortController();
    flight = { ...asked, controller };
    const { signal } = controller;
    try {
      const answer = await predict(asked, signal).catch((error) => ({ error }));
      if (signal.aborted) return;
      if (!answer.error) return take({ ...answer, of: asked.pixels });
      failed(answer.error);
      const seconds = answer.error.retryAfterSeconds;
      isStale ||= seconds > 0;
      await new Promise((wake) => setTimeout(wake, 1000 * seconds));
    } finally {
      flight = null;
      if (isStale) next();
    }
  }

  document.addEventListener("visibilitychange", next);
  return next;
}
