/** A link's fragment, which holds an image and which model it is for: nothing of it reaches a server. */

import { scaleOf } from "../draw/range.js";
import { fromLink, pack, toLink, unpack } from "./bytes.js";

const MAX_CHARACTERS = 100_000;

/** The fragment for an image: packed bytes of ink, or float32 when the inputs are no image. */
export function fragmentOf({ network, model, version, pixels }) {
  const image = network.shape
    ? { ink: toLink(pack(scaleOf(network).toInk(pixels).map((x) => Math.round(255 * x)))) }
    : { numbers: toLink(new Uint8Array(Float32Array.from(pixels).buffer)) };
  return `#${new URLSearchParams({ model, version, ...image })}`;
}

/** What a fragment says: {model, version, ink, numbers} as texts; null when it is empty, throws if foreign. */
export function parseFragment(fragment) {
  const text = fragment.replace(/^#/, "");
  if (!text) return null;
  const { model, version, ink, numbers } = Object.fromEntries(new URLSearchParams(text));
  const isKnown = model && /^\d{1,15}$/.test(version ?? "") && (ink ?? numbers);
  if (!isKnown || text.length > MAX_CHARACTERS) throw new RangeError("not a link of this page");
  return { model, version: Number(version), ink, numbers };
}

/** The pixels of a parsed fragment for a network; throws when they are not for its inputs. */
export function pixelsOf({ ink, numbers }, network) {
  if (ink && network.shape) {
    const bytes = unpack(fromLink(ink), network.inputs);
    return scaleOf(network).toPixels(Float32Array.from(bytes, (byte) => byte / 255));
  }
  const pixels = numbers && !network.shape ? new Float32Array(fromLink(numbers).buffer) : [];
  if (pixels.length !== network.inputs || !pixels.every(Number.isFinite)) {
    throw new RangeError("not for the inputs of this network");
  }
  return pixels;
}
