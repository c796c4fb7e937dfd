/** Asks for a token when the server wants one. */

import { setToken } from "../api.js";

const UNKNOWN = "The server does not know this token. Check it, or ask who runs the server for another one.";

/** Returns a function that opens the dialog. */
export function start({ store, dialog, retry }) {
  const [form, input, problem, cancel] = ["form", "input", ".bad", "button[type=button]"].map((part) =>
    dialog.querySelector(part),
  );
  let isTried = false;

  function open() {
    problem.textContent = isTried ? UNKNOWN : "";
    if (!dialog.open) dialog.showModal();
    input.select();
  }

  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setToken(input.value.trim());
    isTried = true;
    await retry();
    if (store.get("connection") === "token") open();
  });
  store.watch(["connection"], () => {
    if (store.get("connection") === "token") open();
    else if (store.get("connection") === "ok") {
      isTried = false;
      dialog.close();
    }
  });
  return open;
}
