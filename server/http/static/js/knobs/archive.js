/** Writes .npz files: a zip archive of NumPy's arrays, uncompressed, on machines whose low bytes come first. */

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Numbers of 2 bytes; what is larger takes two of them: see `long`. */
const shorts = (...numbers) => Uint16Array.from(numbers.flat());
const long = (number) => [number, number >>> 16];

/** The bytes of an array, whose content begins after 128 of them: 10 of the format and 118 (v) of the header. */
function npy(type, shape, content) {
  const sizes = shape.map((size) => `${size},`).join("");
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sizes})}`.padEnd(117);
  const bytes = Array.from(`\x93NUMPY\x01\0v\0${header}\n`, (letter) => letter.charCodeAt(0));
  return Uint8Array.from([...bytes, ...new Uint8Array(content.slice().buffer)]);
}

/** An array of texts, or of a single one without dimensions. */
function texts(values) {
  const letters = [values].flat().map((text) => Array.from(text, (letter) => letter.codePointAt(0)));
  const length = Math.max(1, ...letters.map((points) => points.length));
  const content = new Uint32Array(length * letters.length);
  letters.forEach((points, k) => content.set(points, k * length));
  return npy(`<U${length}`, Array.isArray(values) ? [letters.length] : [], content);
}

/** An archive of files by name. */
function zip(files) {
  let local = new Blob();
  const entries = Object.entries(files).map(([name, content]) => {
    const [size, begin] = [content.length, local.size].map(long);
    // Version 2.0, stored, at 1980-01-01.
    const common = shorts(20, 0, 0, 0, 0x21, long(crc32(content)), size, size, name.length, 0);
    local = new Blob([local, "PK\x03\x04", common, name, content]);
    return new Blob(["PK\x01\x02", shorts(20), common, shorts(0, 0, 0, 0, 0, begin), name]);
  });
  const directory = new Blob(entries);
  const counts = shorts(0, 0, entries.length, entries.length, long(directory.size), long(local.size), 0);
  return new Blob([local, directory, "PK\x05\x06", counts]);
}

/** The weights file of a network, as `python -m exporter export --weights` takes it. */
export function packNetwork({ layers, labelNames, inputRange, imageLayout }, provenance) {
  const files = {};
  layers.forEach(({ weights, biases, neurons, inputs }, k) => {
    files[`W${k + 1}.npy`] = npy("<f4", [neurons, inputs], weights);
    files[`b${k + 1}.npy`] = npy("<f4", [neurons], biases);
  });
  files["activations.npy"] = texts(layers.map((layer) => layer.activation));
  files["labels.npy"] = texts(labelNames);
  if (inputRange) files["input_range.npy"] = texts(inputRange);
  if (imageLayout) files["image_layout.npy"] = texts(JSON.stringify(imageLayout));
  files["provenance.npy"] = texts(JSON.stringify(provenance));
  return zip(files);
}
