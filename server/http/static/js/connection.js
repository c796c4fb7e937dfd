/** Whether the server answers, and asking again until it does. */

const POLL_MILLISECONDS = 5000;
const FIRST_RETRY_MILLISECONDS = 500;
const MAX_RETRY_MILLISECONDS = 8000;

/** Note how a call ended: null when it was answered, otherwise its error. */
export function report(store, error) {
  if (!error) {
    if (store.state.connection !== "ok") store.set({ connection: "ok", problem: "" });
  } else if (error.status === 401) store.set({ connection: "token", problem: error.message });
  else if ([0, 502, 503, 504].includes(error.status)) store.set({ connection: "lost", problem: error.message });
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
    if (document.hidden || isAsking) return;
    isAsking = true;
    try {
      await load();
    } finally {
      isAsking = false;
      plan();
      retries = store.state.connection === "lost" ? retries + 1 : 0;
    }
  }

  function plan() {
    clearTimeout(timer);
    const { connection } = store.state;
    const wait = Math.min(MAX_RETRY_MILLISECONDS, FIRST_RETRY_MILLISECONDS * 2 ** retries);
    if (connection !== "token") timer = setTimeout(ask, connection === "ok" ? POLL_MILLISECONDS : wait);
  }

  document.addEventListener("visibilitychange", ask);
  addEventListener("online", ask);
  store.watch(["connection"], plan);
  ask();
  return ask;
}
