/** Writes .npz files: a zip archive of NumPy's arrays, uncompressed. */

const encode = (text) => new TextEncoder().encode(text);

/** The CRC-32 of zip, bit by bit. */
export function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Numbers of 2 and 4 bytes, the low byte first: fields([20, 2], [crc, 4]). */
function fields(...numbers) {
  const bytes = [];
  for (const [number, size] of numbers) {
    for (let k = 0; k < size; k += 1) bytes.push((number >>> (8 * k)) & 255);
  }
  return bytes;
}

function npy(type, shape, content) {
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.map((n) => `${n},`).join(" ")}), }`;
  // The content begins at a multiple of 64 bytes.
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  return [...[Uint8Array.of(0x93), encode("NUMPY"), Uint8Array.of(1, 0)], fields([padded.length, 2]), encode(padded), content];
}

/** An array of float32. */
export function floats(numbers, shape) {
  const view = new DataView(new ArrayBuffer(4 * numbers.length));
  numbers.forEach((number, k) => view.setFloat32(4 * k, number, true));
  return npy("<f4", shape, new Uint8Array(view.buffer));
}

/** An array of texts, or of a single one without dimensions. */
export function texts(values) {
  const list = [values].flat();
  const letters = list.map((text) => [...text].map((letter) => letter.codePointAt(0)));
  const length = Math.max(1, ...letters.map((points) => points.length));
  const view = new DataView(new ArrayBuffer(4 * length * list.length));
  letters.forEach((points, k) => {
    points.forEach((point, j) => view.setUint32(4 * (k * length + j), point, true));
  });
  return npy(`<U${length}`, Array.isArray(values) ? [list.length] : [], new Uint8Array(view.buffer));
}

function join(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** The bytes of an archive of arrays by name. */
export function packNpz(arrays) {
  const files = [];
  const entries = [];
  let offset = 0;
  for (const [key, parts] of Object.entries(arrays)) {
    const name = encode(`${key}.npy`);
    const content = join(parts);
    // Version, flags, method (stored), time and date (1980-01-01), and what the content is.
    const common = fields(
      ...[[20, 2], [0x800, 2], [0, 2], [0, 2], [0x21, 2]],
      ...[[crc32(content), 4], [content.length, 4], [content.length, 4], [name.length, 2], [0, 2]],
    );
    const file = join([fields([0x04034b50, 4]), common, name, content]);
    entries.push(join([fields([0x02014b50, 4], [20, 2]), common, fields([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), name]));
    files.push(file);
    offset += file.length;
  }
  const directory = join(entries);
  const count = entries.length;
  const end = fields(
    ...[[0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2]],
    ...[[directory.length, 4], [offset, 4], [0, 2]],
  );
  return join([...files, directory, end]);
}

/** The weights file of a network, as `python -m exporter export --weights` takes it. */
export function packNetwork(network, provenance) {
  const arrays = {};
  network.layers.forEach(({ weights, biases, neurons, inputs }, k) => {
    arrays[`W${k + 1}`] = floats(weights, [neurons, inputs]);
    arrays[`b${k + 1}`] = floats(biases, [neurons]);
  });
  arrays.activations = texts(network.layers.map((layer) => layer.activation));
  arrays.labels = texts(network.labelNames);
  if (network.inputRange) arrays.input_range = texts(network.inputRange);
  if (network.imageLayout) arrays.image_layout = texts(JSON.stringify(network.imageLayout));
  arrays.provenance = texts(JSON.stringify(provenance));
  return packNpz(arrays);
}
