/** Says what keeps the server from answering, and what has changed on it. */

import { element } from "../elements.js";

export function start({ store, root, retry, askForToken }) {
  let wasLost = false;
  let shown = "";

  store.watch(["connection", "models"], () => {
    const connection = store.get("connection");
    if (wasLost && connection === "ok") store.set({ notice: `The server answers again. ${store.get("notice")}` });
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
  const [connection, reason] = [store.get("connection"), store.get("problem")];
  if (connection === "token") {
    return [{ text: "This server answers those who have a token.", action: "Enter a token", isBad: true }];
  }
  if (connection === "lost") {
    const own = store.get("network") ? " Meanwhile the page computes the answers by itself." : "";
    const text = `The server does not answer${reason && ` (${reason})`}. The page tries again until it does.${own}`;
    return [{ text, action: "Try now", isBad: true }];
  }
  const lines = [];
  if (store.get("models") && !store.get("chosen")) {
    lines.push({ text: "The server has no model loaded. The page goes on as soon as there is one.", isBad: true });
  }
  if (store.get("notice")) lines.push({ text: store.get("notice").trim(), action: "Close" });
  return lines;
}
