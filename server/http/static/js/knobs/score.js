/** How many of the test images are read right: by the server's network, and by this one. */

import { fitsSheet, NO_SHEET } from "../sheet/sheet.js";

function createBar(name) {
  const element = document.createElement("div");
  element.className = "score";
  const label = document.createElement("span");
  const share = document.createElement("output");
  const track = document.createElement("div");
  const bar = document.createElement("div");
  label.textContent = name;
  track.className = "score-track";
  track.append(bar);
  element.append(label, share, track);
  return {
    element,
    show(readings) {
      const percent = readings && (100 * readings.right) / readings.count;
      share.textContent = readings ? `${percent.toFixed(1)}%` : "\u2026";
      bar.style.width = `${percent ?? 0}%`;
    },
  };
}

export function start({ store, find }) {
  const [trained, own] = [createBar("The server\u2019s network"), createBar("Yours")];
  const told = document.createElement("p");
  told.className = "note";

  store.watch(["network"], () => {
    const network = store.get("network");
    if (!network) return;
    if (fitsSheet(network)) {
      find("score").replaceChildren(trained.element, own.element, told);
      return;
    }
    told.textContent = NO_SHEET;
    find("score").replaceChildren(told);
  });
  store.watch(["network", "altered", "readings", "trainedReadings"], () => {
    const network = store.get("network");
    if (!network || !fitsSheet(network)) return;
    const [readings, before] = [store.get("readings"), store.get("trainedReadings")];
    const isKnown = before?.network === network;
    const altered = store.get("altered");
    trained.show(isKnown ? before : null);
    own.element.hidden = !altered;
    if (altered) own.show(readings);
    told.textContent = isKnown
      ? `Of ${readings?.count ?? before.count} images, read in ${Math.ceil((readings ?? before).milliseconds)} ms`
      : "Reading 1,000 images\u2026";
  });
}
