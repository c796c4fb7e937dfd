/** Reads the server's page of metrics once a second, and says how that goes. */

const PERIOD_MILLISECONDS = 1000;
const MAX_MILLISECONDS = 10_000;
const PATIENCE_MILLISECONDS = 3000;
const MAX_WORDS = 200;

/**
 * When within a second: not at its ends, as charts have a place for each second; not the same for all who watch, as the
 * server writes so many pages at once.
 */
const PHASE_MILLISECONDS = 200 + 600 * Math.random();

/** A metric that every mlpserve server has, and no other. */
const KNOWN_BY = /^mlpserve_workers[ {]/m;

/**
 * Read for ever, never twice at once: `onPage(text, seconds)` gets each page and when it came, in seconds since 1970,
 * `onProblem(words)` why there is none. Returns a function that reads at once.
 */
export function keepReading({ onPage, onProblem }) {
  let timer = 0;
  let isReading = false;

  async function read() {
    if (isReading) return;
    isReading = true;
    clearTimeout(timer);
    const impatience = setTimeout(() => onProblem("it takes long"), PATIENCE_MILLISECONDS);
    try {
      onPage(...(await readOnce()));
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      onProblem(error.message);
    } finally {
      clearTimeout(impatience);
      isReading = false;
      timer = setTimeout(read, wait());
    }
  }

  addEventListener("online", read);
  document.addEventListener("visibilitychange", () => document.hidden || read());
  read();
  return read;
}

function wait() {
  const past = (Date.now() - PHASE_MILLISECONDS) % PERIOD_MILLISECONDS;
  // A timer may be early.
  return past > 0.9 * PERIOD_MILLISECONDS ? 2 * PERIOD_MILLISECONDS - past : PERIOD_MILLISECONDS - past;
}

/** There is no page, and why. */
class Unread extends Error {}

async function readOnce() {
  let response, text, seconds;
  try {
    response = await fetch("/metrics", {
      headers: { accept: "text/plain" },
      cache: "no-store",
      signal: AbortSignal.timeout(MAX_MILLISECONDS),
    });
    seconds = Date.now() / 1000;
    text = await response.text();
  } catch (error) {
    const isLate = error.name === "TimeoutError";
    throw new Unread(isLate ? `it took more than ${MAX_MILLISECONDS / 1000} s` : "it can't be reached");
  }
  if (!response.ok) throw new Unread(`it says ${response.status}, ${text.trim().slice(0, MAX_WORDS)}`);
  if (!KNOWN_BY.test(text)) throw new Unread("its /metrics is not that of mlpserve");
  return [text, seconds];
}
