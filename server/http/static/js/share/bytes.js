/** Bytes as text, and shortened. */

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

const isLong = (byte) => byte === 0 || byte === 255;

/** Shorten runs of background and of full ink: after each 0 and each 255 stands how many more follow. */
export function pack(bytes) {
  const packed = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const start = at;
    while (isLong(bytes[at]) && bytes[at + 1] === bytes[at] && at - start < 255) at += 1;
    packed.push(bytes[at], ...(isLong(bytes[at]) ? [at - start] : []));
  }
  return Uint8Array.from(packed);
}

/** The `length` bytes that were packed; throws when they are not as many. */
export function unpack(packed, length) {
  const bytes = [];
  for (let at = 0; at < packed.length && bytes.length <= length; at += 1) {
    const byte = packed[at];
    bytes.push(byte);
    if (isLong(byte)) for (let more = packed[(at += 1)]; more > 0; more -= 1) bytes.push(byte);
  }
  if (bytes.length !== length) throw new RangeError("the packed bytes have another length");
  return bytes;
}
