/** Asks one question at a time, and the newest one next, however often the question changes meanwhile. */

/**
 * Returns a function to call whenever the question may have changed. `question()` returns {model, version, pixels,
 * ...options}, or something false when there is nothing to ask; `ask(model, version, pixels, options)` asks it;
 * `take(answer)` gets the answer, with the pixels as `of`, and `failed(error)` what went wrong instead. Answers of a
 * model or version that is no longer asked are dropped, at once; nothing is asked while nobody sees the page.
 */
export function follow({ question, ask, take, failed }) {
  let flight = null;
  let isStale = false;
  let isWaiting = false;

  async function next() {
    const asked = question();
    if (flight) {
      isStale = true;
      if (!asked || asked.model !== flight.model || asked.version !== flight.version) flight.controller.abort();
      return;
    }
    if (!asked || isWaiting || document.hidden) return;
    isStale = false;
    const { model, version, pixels, ...options } = asked;
    const { signal } = (flight = { model, version, controller: new AbortController() }).controller;
    let answer = null;
    let problem = null;
    try {
      answer = await ask(model, version, pixels, { ...options, signal });
    } catch (error) {
      problem = error;
    }
    flight = null;
    if (problem?.retryAfterSeconds) {
      isWaiting = true;
      setTimeout(() => {
        isWaiting = false;
        next();
      }, 1000 * problem.retryAfterSeconds);
    }
    try {
      if (signal.aborted) return;
      if (problem) failed(problem);
      else take({ ...answer, of: pixels });
    } finally {
      if (isStale) next();
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) next();
  });
  return next;
}
