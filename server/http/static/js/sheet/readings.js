/** Keeps store.readings and store.trainedReadings true to the networks, once there is a sheet. */

import { fitsSheet } from "./sheet.js";

let isStarted = false;

/** Read the sheet with the server's network and with the altered one, whenever they change. */
export function start(store) {
  if (isStarted) return;
  isStarted = true;
  let worker = null;
  let isBusy = false;

  /** Which network to read with next, or null. */
  function wanted() {
    const network = store.get("network");
    if (!network || !fitsSheet(network)) return null;
    if (store.get("trainedReadings")?.network !== network) return network;
    const current = store.get("altered") ?? network;
    return store.get("readings")?.network === current ? null : current;
  }

  function next() {
    const sheet = store.get("sheet");
    const network = sheet && !isBusy && wanted();
    if (!network) return;
    if (network === store.get("trainedReadings")?.network) {
      store.set({ readings: store.get("trainedReadings") });
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
      const readings = { network, labels, right, count: labels.length, milliseconds };
      store.set({ [network === store.get("network") ? "trainedReadings" : "readings"]: readings });
      next();
    };
    worker.postMessage({ layers: network.layers.map((layer) => ({ ...layer })) });
  }

  store.watch(["sheet", "network", "altered"], next);
}
