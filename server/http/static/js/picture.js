/** Draws pixels as the network gets them. */

/** Paint numbers between `low` and `high`, row-major, from black to white onto a canvas of one dot per pixel. */
export function paintPixels(canvas, pixels, [rows, columns], [low, high] = [0, 1]) {
  Object.assign(canvas, { width: columns, height: rows });
  const image = new ImageData(columns, rows);
  for (let k = 0; k < pixels.length; k += 1) {
    const light = (255 * (pixels[k] - low)) / (high - low);
    image.data.set([light, light, light, 255], 4 * k);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** The ends of an input range such as "[0, 1]", or undefined when any number is taken. */
export const endsOf = (inputRange) => inputRange.match(/-?[\d.]+(e[-+]?\d+)?/gi)?.map(Number);
