/** Keeps store.readings and store.trainedReadings true to the networks, once there is a sheet. */

import { fitsSheet } from "./sheet.js";

export function startReadings(store) {
  let worker = null;
  let isBusy = false;

  function read(key, network) {
    const { sheet } = store.state;
    if (!worker) {
      worker = new Worker("/static/js/sheet/worker.js", { type: "module" });
      worker.postMessage({ images: sheet.images });
    }
    isBusy = true;
    worker.onmessage = ({ data: { labels, milliseconds } }) => {
      isBusy = false;
      const right = labels.filter((label, k) => label === sheet.labels[k]).length;
      store.set({ [key]: { network, labels, right, count: labels.length, milliseconds } });
      next();
    };
    worker.postMessage({ layers: network.layers.map((layer) => ({ ...layer })) });
  }

  function next() {
    const { sheet, network, altered, readings, trainedReadings } = store.state;
    if (isBusy || !sheet || !network || !fitsSheet(network)) return;
    if (trainedReadings?.network !== network) read("trainedReadings", network);
    else if (!altered) store.set({ readings: trainedReadings });
    else if (readings?.network !== altered) read("readings", altered);
  }

  store.watch(["sheet", "network", "altered"], next);
}
