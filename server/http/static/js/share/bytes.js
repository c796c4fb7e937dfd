/** Bytes as text. */

/** Bytes as base64. */
export function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Bytes as base64url, for a link. */
export function toLink(bytes) {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The bytes of a text in base64url; throws for others. */
export function fromLink(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Shorten runs of background and of full ink: after each 0 and each 255 stands how many more follow. */
export function pack(bytes) {
  const packed = [];
  for (let at = 0; at < bytes.length; at += 1) {
    packed.push(bytes[at]);
    if (bytes[at] !== 0 && bytes[at] !== 255) continue;
    let more = 0;
    while (more < 255 && bytes[at + 1] === bytes[at]) {
      more += 1;
      at += 1;
    }
    packed.push(more);
  }
  return Uint8Array.from(packed);
}

/** The `length` bytes that were packed; throws when they are not as many. */
export function unpack(packed, length) {
  const bytes = new Uint8Array(length);
  let end = 0;
  for (let at = 0; at < packed.length; at += 1) {
    const isRun = packed[at] === 0 || packed[at] === 255;
    const count = isRun ? packed[at + 1] + 1 : 1;
    // Also for a run without its count.
    if (!(end + count <= length)) throw new RangeError("the packed bytes have another length");
    bytes.fill(packed[at], end, end + count);
    end += count;
    if (isRun) at += 1;
  }
  if (end !== length) throw new RangeError("the packed bytes have another length");
  return bytes;
}
