/** Says that the server does not answer, and that it was restarted. */

import { byId, say } from "../../js/elements.js";
import { formatTime } from "../charts/format.js";

/** Returns functions: `answered()`, `failed(words)` after each reading, and `restarted(seconds)`, a time since 1970. */
export function startBanner({ retry }) {
  const { problem, problemWords, problemTime, retry: button, notice, noticeWords, noticeClose } = byId;
  let last = null;

  button.onclick = retry;
  noticeClose.onclick = () => (notice.hidden = true);
  // Not read aloud: it changes all the time.
  setInterval(() => {
    if (problem.hidden) return;
    const seconds = Math.round((performance.now() - last) / 1000);
    say(problemTime, last === null ? "No answer yet." : `Last answer ${seconds} s ago.`);
  }, 1000);

  return {
    answered() {
      last = performance.now();
      problem.hidden = true;
      say(problemWords, "");
      say(problemTime, "");
    },
    failed(words) {
      problem.hidden = false;
      say(problemWords, `The server does not answer: ${words}. Trying again.`);
    },
    restarted(seconds) {
      notice.hidden = false;
      say(noticeWords, `The server was restarted at ${formatTime(seconds)}.`);
    },
  };
}
