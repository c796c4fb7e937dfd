/** Keeps store.readings and store.trainedReadings true to the networks, once there is a sheet. */

import { fitsSheet } from "./sheet.js";

let isStarted = false;

/** Read the sheet with the server's network and with the altered one, whenever they change. */
export function start(store) {
  if (isStarted) return;
  isStarted = true;
  let worker = null;
  let isBusy = false;

  function next() {
    const { sheet, network, altered, readings, trainedReadings } = store.state;
    if (isBusy || !sheet || !network || !fitsSheet(network)) return;
    const isTrained = trainedReadings?.network !== network;
    const wanted = isTrained ? network : (altered ?? network);
    if (!isTrained && readings?.network === wanted) return;
    if (!isTrained && wanted === network) {
      store.set({ readings: trainedReadings });
      return;
    }
    if (!worker) {
      worker = new Worker("/static/js/sheet/worker.js", { type: "module" });
      worker.postMessage({ bytes: sheet.bytes, count: sheet.length });
    }
    isBusy = true;
    worker.onmessage = ({ data: { labels, milliseconds } }) => {
      isBusy = false;
      const right = labels.reduce((sum, label, k) => sum + (label === sheet.labels[k]), 0);
      const found = { network: wanted, labels, right, count: labels.length, milliseconds };
      store.set({ [isTrained ? "trainedReadings" : "readings"]: found });
      next();
    };
    worker.postMessage({ layers: wanted.layers.map((layer) => ({ ...layer })) });
  }

  store.watch(["sheet", "network", "altered"], next);
}
