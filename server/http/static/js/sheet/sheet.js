/** The sheet: 1,000 of MNIST's test images with their labels, each tenth of the 10,000. */

import { ApiError } from "../api.js";
import { report } from "../connection.js";

/** Which of the test images are on the sheet: each tenth. */
export const EVERY = 10;

export const ROWS = 28;
export const COLUMNS = 28;
const PIXELS = ROWS * COLUMNS;
const LABELS = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/** Whether a network reads such images: 28x28 pixels in [0, 1], labels 0 to 9, light ink. */
export function fitsSheet(network) {
  const [rows, columns] = network.shape ?? [0, 0];
  return (
    rows === ROWS &&
    columns === COLUMNS &&
    network.inputRange === "[0, 1]" &&
    network.imageLayout?.ink !== "dark" &&
    network.labelNames.length === LABELS.length &&
    LABELS.every((name, k) => network.labelNames[k] === name)
  );
}

/** Why there are no test images for a network, as a sentence. */
export const NO_SHEET =
  "The test images are MNIST's: 28x28 pixels, labels 0 to 9. This model reads something else.";

/** The content of a file of this site that gzip has compressed. */
export async function fetchUnzipped(path) {
  const response = await fetch(path).catch(() => null);
  if (!response?.ok) throw new ApiError(response?.status ?? 0, `${path} can't be loaded`);
  const unzipped = response.body.pipeThrough(new DecompressionStream("gzip"));
  return new Response(unzipped).arrayBuffer();
}

/** Labels and pixels as bytes. */
export class Sheet {
  constructor(buffer) {
    this.length = buffer.byteLength / (1 + PIXELS);
    this.labels = new Uint8Array(buffer, 0, this.length);
    this.bytes = new Uint8Array(buffer, this.length);
  }

  /** The bytes of one image. */
  imageAt(k) {
    return this.bytes.subarray(k * PIXELS, (k + 1) * PIXELS);
  }

  /** The pixels of one image, as a network takes them. */
  pixelsAt(k) {
    return Float32Array.from(this.imageAt(k), (byte) => byte / 255);
  }
}

let isLoading = false;

async function load(store) {
  const network = store.get("network");
  if (isLoading || store.get("sheet") || !network || !fitsSheet(network)) return;
  isLoading = true;
  try {
    store.set({ sheet: new Sheet(await fetchUnzipped("/static/data/digits.bin")) });
  } catch (error) {
    report(store, error);
  } finally {
    isLoading = false;
  }
}

/** Load the sheet once a part of the page is seen, and again when the server is back. */
export function loadWhenSeen(store, root) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    store.watch(["network", "connection"], () => {
      if (store.get("connection") === "ok") load(store);
    });
  });
  observer.observe(root);
}
