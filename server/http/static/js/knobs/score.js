/** How many of the test images are read right: by the server's network, and by this one. */

import { fitsSheet, NO_SHEET } from "../sheet/sheet.js";

function show(bar, readings) {
  bar.hidden = !readings;
  if (!readings) return;
  const percent = `${((100 * readings.right) / readings.count).toFixed(1)}%`;
  bar.lastElementChild.textContent = percent;
  bar.style.setProperty("--share", percent);
}

export function startScore({ store, find }) {
  const [trained, own, told] = find("score").children;

  store.watch(["network", "altered", "readings", "trainedReadings"], () => {
    const { network, altered, readings, trainedReadings } = store.state;
    const isKnown = readings && trainedReadings.network === network;
    show(trained, isKnown && trainedReadings);
    show(own, isKnown && altered && readings);
    if (network && !fitsSheet(network)) told.textContent = NO_SHEET;
    else if (!isKnown) told.textContent = "Reading the test images\u2026";
    else told.textContent = `Of 1,000 images of MNIST, read in ${Math.ceil(readings.milliseconds)} ms`;
  });
}
