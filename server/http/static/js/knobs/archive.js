/** Writes .npz files: a zip archive of NumPy's arrays, uncompressed. */

const encode = (text) => new TextEncoder().encode(text);

/** The CRC-32 of zip. */
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function join(...parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Numbers of 2 bytes, the low byte first; what is larger takes two of them: see `long`. */
const shorts = (...numbers) => numbers.flat().flatMap((number) => [number & 255, number >>> 8]);
const long = (number) => [number & 0xffff, number >>> 16];

function npy(type, shape, content) {
  const sizes = shape.map((size) => `${size},`).join("");
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sizes})}`;
  // The content begins at a multiple of 64 bytes, after 10 for the format and a line's end.
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  return join([0x93], encode("NUMPY"), [1, 0], shorts(padded.length), encode(padded), content);
}

const floats = (numbers, shape) => npy("<f4", shape, new Uint8Array(numbers.slice().buffer));

/** An array of texts, or of a single one without dimensions. */
function texts(values) {
  const letters = [values].flat().map((text) => Array.from(text, (letter) => letter.codePointAt(0)));
  const length = Math.max(1, ...letters.map((points) => points.length));
  const content = new Uint32Array(length * letters.length);
  letters.forEach((points, k) => content.set(points, k * length));
  return npy(`<U${length}`, Array.isArray(values) ? [letters.length] : [], new Uint8Array(content.buffer));
}

/** The bytes of an archive of files by name. */
function zip(files) {
  let local = new Uint8Array();
  const entries = Object.entries(files).map(([name, content]) => {
    const size = long(content.length);
    // Version 2.0, names in UTF-8, stored, at 1980-01-01.
    const common = shorts(20, 0x800, 0, 0, 0x21, long(crc32(content)), size, size, name.length, 0);
    const begin = long(local.length);
    local = join(local, encode("PK\x03\x04"), common, encode(name), content);
    return join(encode("PK\x01\x02"), shorts(20), common, shorts(0, 0, 0, 0, 0, begin), encode(name));
  });
  const directory = join(...entries);
  const count = entries.length;
  const end = shorts(0, 0, count, count, long(directory.length), long(local.length), 0);
  return join(local, directory, encode("PK\x05\x06"), end);
}

/** The weights file of a network, as `python -m exporter export --weights` takes it. */
export function packNetwork(network, provenance) {
  const files = {};
  network.layers.forEach(({ weights, biases, neurons, inputs }, k) => {
    files[`W${k + 1}.npy`] = floats(weights, [neurons, inputs]);
    files[`b${k + 1}.npy`] = floats(biases, [neurons]);
  });
  files["activations.npy"] = texts(network.layers.map((layer) => layer.activation));
  files["labels.npy"] = texts(network.labelNames);
  if (network.inputRange) files["input_range.npy"] = texts(network.inputRange);
  if (network.imageLayout) files["image_layout.npy"] = texts(JSON.stringify(network.imageLayout));
  files["provenance.npy"] = texts(JSON.stringify(provenance));
  return zip(files);
}
