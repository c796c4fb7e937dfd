/** Paints an image on a canvas: white on black, whatever the page's colours, as the network sees it. */

const LONGER_SIDE = 560;

/** The points of the canvas that a pixel of the image is wide. */
export function unitOf([rows, columns]) {
  return Math.max(1, Math.floor(LONGER_SIDE / Math.max(rows, columns)));
}

/**
 * Paint ink of rows x columns, or of a multiple of that; `grid` draws lines between pixels, `cursor` is
 * where the pen is, if anywhere.
 */
export function paint(canvas, ink, [rows, columns], { grid, isDark, cursor }) {
  const unit = unitOf([rows, columns]);
  const [width, height] = [columns * unit, rows * unit];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const factor = Math.round(Math.sqrt(ink.length / (rows * columns)));
  context.imageSmoothingEnabled = factor > 1;
  context.drawImage(pictureOf(ink, columns * factor, rows * factor, isDark), 0, 0, width, height);
  if (grid && unit > 5) drawGrid(context, rows, columns, unit);
  if (cursor) drawCursor(context, cursor, unit);
}

function pictureOf(ink, width, height, isDark) {
  const picture = new OffscreenCanvas(width, height);
  const data = new ImageData(width, height);
  const words = new Uint32Array(data.data.buffer);
  ink.forEach((x, at) => {
    const level = Math.round(255 * (isDark ? 1 - x : x));
    words[at] = 0xff000000 | (level * 0x10101);
  });
  picture.getContext("2d").putImageData(data, 0, 0);
  return picture;
}

function drawGrid(context, rows, columns, unit) {
  context.strokeStyle = "rgb(128 128 128 / 22%)";
  context.lineWidth = 1;
  context.beginPath();
  for (let x = 1; x < columns; x += 1) {
    context.moveTo(x * unit, 0);
    context.lineTo(x * unit, rows * unit);
  }
  for (let y = 1; y < rows; y += 1) {
    context.moveTo(0, y * unit);
    context.lineTo(columns * unit, y * unit);
  }
  context.stroke();
}

function drawCursor(context, { x, y, radius, isKeyboard }, unit) {
  context.lineWidth = isKeyboard ? 4 : 2;
  // In two greys, one of which stands out from any ink.
  for (const [grey, wider] of [["#000", 2], ["#ddd", 0]]) {
    context.strokeStyle = grey;
    context.beginPath();
    context.arc(x * unit, y * unit, Math.max(3, radius * unit) + wider, 0, 2 * Math.PI);
    context.stroke();
  }
}
