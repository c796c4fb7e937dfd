/** Says what keeps the server from answering, and what has changed on it. */

import { byId, element } from "../elements.js";

export function start({ store, retry, askForToken }) {
  const actions = { "Try now": retry, "Enter a token": askForToken, Close: () => store.set({ notice: "" }) };
  let shown = "";

  store.watch(["connection", "notice", "chosen", "models", "problem", "network"], () => {
    const lines = describe(store.state);
    // What has been read out and what has the focus stays.
    if (JSON.stringify(lines) === shown) return;
    shown = JSON.stringify(lines);
    byId.banner.replaceChildren(
      ...lines.map(([text, action]) => {
        const button = action ? [element("button", { type: "button", onclick: actions[action] }, action)] : [];
        return element("div", { className: action === "Close" ? "row" : "row bad" }, element("p", {}, text), ...button);
      }),
    );
  });
}

/** Lines, each of a text and what can be done about it. */
function describe({ connection, problem, network, models, chosen, notice }) {
  if (connection === "token") return [["This server requires a token.", "Enter a token"]];
  if (connection === "lost") {
    const own = network ? " Meanwhile the page computes the answers by itself." : "";
    return [[`The server does not answer (${problem}). The page tries again until it does.${own}`, "Try now"]];
  }
  const lines = notice ? [[notice, "Close"]] : [];
  if (models && !chosen) lines.unshift(["The server has no model loaded. The page goes on as soon as there is one."]);
  return lines;
}
