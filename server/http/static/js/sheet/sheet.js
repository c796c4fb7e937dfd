/** The sheet: 1,000 of MNIST's test images with their labels. */

import { ApiError } from "../api.js";
import { report } from "../connection.js";

/** Which of the 10,000 test images are on the sheet: each tenth. */
export const EVERY = 10;
export const SHAPE = [28, 28];

/** Whether a network reads such images. */
export const fitsSheet = ({ shape, inputRange, imageLayout, labelNames }) =>
  String([shape, inputRange, labelNames]) === `${SHAPE},[0, 1],0,1,2,3,4,5,6,7,8,9` && imageLayout?.ink !== "dark";

/** Why there are no test images for other networks. */
export const NO_SHEET =
  "The test images are MNIST's: 28x28 pixels, light ink, labels 0 to 9. This model reads something else.";

/** A file of this site that gzip has compressed, as a response without it. */
export async function fetchUnzipped(path) {
  const response = await fetch(path).catch(() => null);
  if (!response?.ok) throw new ApiError(response?.status ?? 0, `${path} can't be loaded`);
  return new Response(response.body.pipeThrough(new DecompressionStream("gzip")));
}

/** From its file: the labels, a byte each, and the pixels of all images, a byte each. */
function readSheet(buffer) {
  const size = SHAPE[0] * SHAPE[1];
  const count = buffer.byteLength / (1 + size);
  const pixels = Float32Array.from(new Uint8Array(buffer, count), (byte) => byte / 255);
  const labels = [...new Uint8Array(buffer, 0, count)];
  return { labels, images: labels.map((_, k) => pixels.subarray(k * size, (k + 1) * size)) };
}

/** Load the sheet once one of these sections is seen, and try again when the server is back. */
export function loadWhenSeen(store, sections) {
  let isLoading = false;

  async function load() {
    const { network, sheet, connection } = store.state;
    if (isLoading || sheet || connection !== "ok" || !network || !fitsSheet(network)) return;
    isLoading = true;
    try {
      const response = await fetchUnzipped("/static/data/digits.bin");
      store.set({ sheet: readSheet(await response.arrayBuffer()) });
    } catch (error) {
      report(store, error);
    }
    isLoading = false;
  }

  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    store.watch(["network", "connection"], load);
  });
  for (const section of sections) observer.observe(section);
}
