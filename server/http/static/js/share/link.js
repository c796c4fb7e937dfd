/** A link's fragment, which holds an image and which model it is for: nothing of it reaches a server. */

import { scaleOf } from "../draw/range.js";

const MAX_CHARACTERS = 100_000;

export const toBase64 = (bytes) => btoa(textOf(bytes));

const textOf = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

/** Shorten runs of background and of full ink: after each 0 and each 255 stands how many more follow. */
function pack(text) {
  return text.replace(/\0{1,256}|\xff{1,256}/g, (run) => run[0] + String.fromCharCode(run.length - 1));
}

function unpack(text) {
  return text.replace(/([\0\xff])([^])/g, (_, byte, more) => byte.repeat(1 + more.charCodeAt()));
}

/** The fragment for an image: packed bytes of ink, or float32 when the inputs are not an image. */
export function fragmentOf({ network, model, version, pixels }) {
  const [key, text] = network.shape
    ? ["ink", pack(textOf(scaleOf(network).toInk(pixels).map((x) => Math.round(255 * x))))]
    : ["numbers", textOf(new Uint8Array(Float32Array.from(pixels).buffer))];
  const base64url = btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return `#${new URLSearchParams({ model, version, [key]: base64url })}`;
}

/** What a fragment says: {model, version, ink, numbers}, the last two as texts; null when it is foreign. */
export function parseFragment(fragment) {
  const { model, version, ink, numbers } = Object.fromEntries(new URLSearchParams(fragment.slice(1)));
  const isOurs = model && /^\d{1,15}$/.test(version) && (ink ?? numbers);
  return isOurs && fragment.length <= MAX_CHARACTERS ? { model, version: Number(version), ink, numbers } : null;
}

/** The pixels of a parsed fragment for a network; throws when they are not for its inputs. */
export function pixelsOf({ ink = "", numbers = "" }, network) {
  const packed = atob((network.shape ? ink : numbers).replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(network.shape ? unpack(packed) : packed, (character) => character.charCodeAt());
  const pixels = network.shape
    ? scaleOf(network).toPixels(Array.from(bytes, (byte) => byte / 255))
    : new Float32Array(bytes.buffer);
  if (pixels.length === network.inputs && pixels.every(Number.isFinite)) return pixels;
  throw new RangeError("not for the inputs of this network");
}
