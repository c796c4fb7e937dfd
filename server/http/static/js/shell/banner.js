/** Says what keeps the server from answering, and what has changed on it. */

import { element } from "../elements.js";

const RECOVERED = "The server answers again.";

export function start({ store, root, retry, askForToken }) {
  let wasLost = false;

  store.watch(["connection", "models"], () => {
    const connection = store.get("connection");
    if (wasLost && connection === "ok") store.set({ notice: [RECOVERED, store.get("notice")].join(" ").trim() });
    wasLost = connection === "lost";
  });

  store.watch(["connection", "notice", "chosen", "models", "problem"], () => {
    root.replaceChildren();
    const connection = store.get("connection");
    if (connection === "lost") {
      root.append(line(lost(store), "bad", element("button", { type: "button", onclick: retry }, "Try now")));
    } else if (connection === "token") {
      const button = element("button", { type: "button", onclick: askForToken }, "Enter a token");
      root.append(line("This server answers those who have a token.", "bad", button));
    } else if (store.get("models") && !store.get("chosen")) {
      root.append(line("The server has no model loaded. The page goes on as soon as there is one.", "bad"));
    }
    if (store.get("notice") && connection === "ok") {
      const dismiss = () => store.set({ notice: "" });
      root.append(line(store.get("notice"), "", element("button", { type: "button", onclick: dismiss }, "Close")));
    }
  });
}

function lost(store) {
  const reason = store.get("problem") ? ` (${store.get("problem")})` : "";
  const own = store.get("network") ? " Meanwhile the page computes the answers by itself." : "";
  return `The server does not answer${reason}. The page tries again until it does.${own}`;
}

function line(text, kind, ...buttons) {
  return element("div", { className: `row ${kind}` }, element("p", {}, text), ...buttons);
}
