/** Asks for a token when the server wants one. */

import { setToken } from "../api.js";
import { byId } from "../elements.js";

const UNKNOWN = "The server does not know this token. Check it, or ask the server's operator for another one.";

/** Returns a function that opens the dialog. */
export function start({ store, retry }) {
  const { tokenDialog, tokenForm, token, tokenProblem, tokenCancel } = byId;
  let isTried = false;

  function open() {
    tokenProblem.textContent = isTried ? UNKNOWN : "";
    if (!tokenDialog.open) tokenDialog.showModal();
    token.select();
  }

  tokenCancel.onclick = () => tokenDialog.close();
  tokenForm.onsubmit = async (event) => {
    event.preventDefault();
    setToken(token.value.trim());
    isTried = true;
    await retry();
    if (store.state.connection === "token") open();
  };
  store.watch(["connection"], () => {
    if (store.state.connection === "token") open();
    if (store.state.connection !== "ok") return;
    isTried = false;
    tokenDialog.close();
  });
  return open;
}
