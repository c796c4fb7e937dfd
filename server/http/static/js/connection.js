/** Whether the server answers, and asking again until it does. */

const POLL_MILLISECONDS = 5000;
const FIRST_RETRY_MILLISECONDS = 500;
const MAX_RETRY_MILLISECONDS = 8000;
const UNREACHABLE = [0, 502, 503, 504];

/** Note how a call ended: null when it was answered, otherwise its error. */
export function report(store, error) {
  if (!error) {
    if (store.get("connection") !== "ok") store.set({ connection: "ok", problem: "" });
  } else if (error.status === 401) store.set({ connection: "token", problem: error.message });
  else if (UNREACHABLE.includes(error.status)) store.set({ connection: "lost", problem: error.message });
}

/**
 * Call `load` now, every few seconds while the page is seen, and after a loss sooner and then less and less often.
 * Returns a function that calls it at once.
 */
export function keepAsking({ store, load }) {
  let timer = 0;
  let retries = 0;
  let isAsking = false;

  async function ask() {
    clearTimeout(timer);
    if (document.hidden || isAsking) return;
    isAsking = true;
    if (store.get("connection") === "ok") retries = 0;
    try {
      await load();
    } finally {
      isAsking = false;
      plan();
    }
  }

  function plan() {
    clearTimeout(timer);
    const connection = store.get("connection");
    if (connection === "ok") timer = setTimeout(ask, POLL_MILLISECONDS);
    if (connection !== "lost") return;
    timer = setTimeout(ask, Math.min(MAX_RETRY_MILLISECONDS, FIRST_RETRY_MILLISECONDS * 2 ** retries));
    retries += 1;
  }

  document.addEventListener("visibilitychange", ask);
  addEventListener("online", ask);
  store.watch(["connection"], () => {
    if (store.get("connection") === "lost" && !isAsking) plan();
  });
  ask();
  return ask;
}
