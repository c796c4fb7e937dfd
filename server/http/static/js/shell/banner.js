/** Says what keeps the server from answering, and what has changed on it. */

import { element } from "../elements.js";

export function start({ store, root, retry, askForToken }) {
  let wasLost = false;
  let shown = "";

  store.watch(["connection", "models"], () => {
    const { connection, notice } = store.state;
    if (wasLost && connection === "ok") store.set({ notice: `The server answers again. ${notice}` });
    wasLost = connection === "lost";
  });

  store.watch(["connection", "notice", "chosen", "models", "problem"], () => {
    const lines = describe(store);
    // What has been read out and what has the focus stays.
    if (JSON.stringify(lines) === shown) return;
    shown = JSON.stringify(lines);
    const actions = { "Try now": retry, "Enter a token": askForToken, Close: () => store.set({ notice: "" }) };
    root.replaceChildren(
      ...lines.map(({ text, action, isBad }) => {
        const parts = [element("p", {}, text)];
        if (action) parts.push(element("button", { type: "button", onclick: actions[action] }, action));
        return element("div", { className: isBad ? "row bad" : "row" }, ...parts);
      }),
    );
  });
}

function describe(store) {
  const { connection, problem, network, models, chosen, notice } = store.state;
  if (connection === "token") {
    return [{ text: "This server answers those who have a token.", action: "Enter a token", isBad: true }];
  }
  if (connection === "lost") {
    const own = network ? " Meanwhile the page computes the answers by itself." : "";
    const text = `The server does not answer${problem && ` (${problem})`}. The page tries again until it does.${own}`;
    return [{ text, action: "Try now", isBad: true }];
  }
  const lines = [];
  if (models && !chosen) {
    lines.push({ text: "The server has no model loaded. The page goes on as soon as there is one.", isBad: true });
  }
  if (notice) lines.push({ text: notice.trim(), action: "Close" });
  return lines;
}
