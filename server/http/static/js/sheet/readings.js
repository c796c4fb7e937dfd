/** Keeps store.readings and store.trainedReadings true to the networks, once there is a sheet. */

import { fitsSheet } from "./sheet.js";

let isStarted = false;

/** Read the sheet with the server's network and with the altered one, whenever they change. */
export function start(store) {
  if (isStarted) return;
  isStarted = true;
  let worker = null;
  let isBusy = false;

  function wanted() {
    const network = store.get("network");
    if (!network || !fitsSheet(network)) return null;
    if (store.get("trainedReadings")?.network !== network) return ["trainedReadings", network];
    const shown = store.get("altered") ?? network;
    return store.get("readings")?.network === shown ? null : ["readings", shown];
  }

  function next() {
    const sheet = store.get("sheet");
    const [key, network] = (sheet && !isBusy && wanted()) || [];
    if (!key) return;
    if (key === "readings" && network === store.get("network")) {
      store.set({ readings: store.get("trainedReadings") });
      return;
    }
    isBusy = true;
    if (!worker) {
      worker = new Worker("/static/js/sheet/worker.js", { type: "module" });
      worker.postMessage({ bytes: sheet.bytes, count: sheet.length });
    }
    const begin = performance.now();
    worker.onmessage = ({ data }) => {
      isBusy = false;
      const right = data.labels.reduce((sum, label, k) => sum + (label === sheet.labels[k]), 0);
      store.set({
        [key]: {
          network,
          labels: data.labels,
          right,
          count: sheet.length,
          computeMilliseconds: data.milliseconds,
          milliseconds: performance.now() - begin,
        },
      });
      next();
    };
    worker.postMessage({ layers: network.layers.map((layer) => ({ ...layer })) });
  }

  store.watch(["sheet", "network", "altered"], next);
}
