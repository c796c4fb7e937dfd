/** How many of the test images are read right: by the server's network, and by this one. */

import { element } from "../elements.js";
import { fitsSheet, NO_SHEET } from "../sheet/sheet.js";

function createBar(name) {
  const share = element("output");
  const bar = element("div");
  const track = element("div", { className: "score-track" }, bar);
  return {
    root: element("div", { className: "score" }, element("span", {}, name), share, track),
    show(readings) {
      const percent = `${((100 * readings.right) / readings.count).toFixed(1)}%`;
      [share.textContent, bar.style.width] = [percent, percent];
    },
  };
}

export function start({ store, find }) {
  const [trained, own] = [createBar("Server's"), createBar("Yours")];
  const told = element("p", { className: "note" });
  find("score").append(trained.root, own.root, told);

  store.watch(["network", "altered", "readings", "trainedReadings"], () => {
    const { network, altered, readings, trainedReadings } = store.state;
    const isKnown = readings && trainedReadings?.network === network;
    trained.root.hidden = !isKnown;
    own.root.hidden = !isKnown || !altered;
    if (network && !fitsSheet(network)) told.textContent = NO_SHEET;
    else if (!isKnown) told.textContent = "Reading the test images\u2026";
    else {
      trained.show(trainedReadings);
      own.show(readings);
      told.textContent = `Of 1,000 images of MNIST, read in ${Math.ceil(readings.milliseconds)} ms`;
    }
  });
}
