/** Whether the server answers, and trying again until it does. */

/** Note how a call ended: null when it was answered, otherwise its error. */
export function report(store, error) {
  if (!error) store.set({ connection: "ok" });
  else if (error.status === 401) store.set({ connection: "token" });
  else if (error.status === 0 || error.status >= 500) store.set({ connection: "lost" });
}
