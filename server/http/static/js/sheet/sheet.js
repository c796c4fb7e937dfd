/** The sheet: 1,000 of MNIST's test images with their labels, each tenth of the 10,000. */

import { ApiError } from "../api.js";
import { report } from "../connection.js";

/** Which of the test images are on the sheet: each tenth. */
export const EVERY = 10;

export const ROWS = 28;
export const COLUMNS = 28;
const PIXELS = ROWS * COLUMNS;

/** Whether a network reads such images: 28x28 pixels, light ink, labels 0 to 9. */
export function fitsSheet({ shape, inputRange, imageLayout, labelNames }) {
  return (
    String(shape) === `${ROWS},${COLUMNS}` &&
    inputRange === "[0, 1]" &&
    imageLayout?.ink !== "dark" &&
    String(labelNames) === "0,1,2,3,4,5,6,7,8,9"
  );
}

/** Why there are no test images for other networks. */
export const NO_SHEET =
  "The test images are MNIST's: 28x28 pixels, light ink, labels 0 to 9. This model reads something else.";

/** The content of a file of this site that gzip has compressed. */
export async function fetchUnzipped(path) {
  const response = await fetch(path).catch(() => null);
  if (!response?.ok) throw new ApiError(response?.status ?? 0, `${path} can't be loaded`);
  return new Response(response.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

class Sheet {
  /** From its file: the labels, a byte each, and the pixels of all images, a byte each. */
  constructor(buffer) {
    this.length = buffer.byteLength / (1 + PIXELS);
    this.labels = new Uint8Array(buffer, 0, this.length);
    this.bytes = new Uint8Array(buffer, this.length);
  }

  /** The pixels of one image, as a network takes them. */
  pixelsAt(k) {
    return Float32Array.from(this.bytes.subarray(k * PIXELS, (k + 1) * PIXELS), (byte) => byte / 255);
  }
}

let isLoading = false;

async function load(store) {
  const { network, sheet } = store.state;
  if (isLoading || sheet || !network || !fitsSheet(network)) return;
  isLoading = true;
  try {
    store.set({ sheet: new Sheet(await fetchUnzipped("/static/data/digits.bin")) });
  } catch (error) {
    report(store, error);
  } finally {
    isLoading = false;
  }
}

/** Load the sheet once a part of the page is seen, and try again when the server is back. */
export function loadWhenSeen(store, root) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    store.watch(["network", "connection"], () => store.state.connection === "ok" && load(store));
  });
  observer.observe(root);
}
