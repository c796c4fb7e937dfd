/** Paints an image on a canvas: white on black, whatever the page's colours, as the network sees it. */

import { paintPixels } from "../picture.js";

const LONGER_SIDE = 560;
const picture = document.createElement("canvas");

/**
 * Paint ink of rows x columns, or of `factor` times as many points. Pixels have lines between them;
 * `cursor` ({x, y, radius, isKeyboard}) is where the pen is, if anywhere.
 */
export function paint(canvas, ink, [rows, columns], { factor, isDark, cursor }) {
  const unit = Math.max(1, Math.floor(LONGER_SIDE / Math.max(rows, columns)));
  const [width, height] = [columns * unit, rows * unit];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  paintPixels(picture, ink, [rows * factor, columns * factor], isDark ? [1, 0] : [0, 1]);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = factor > 1;
  context.drawImage(picture, 0, 0, width, height);
  if (factor === 1 && unit > 5) {
    context.fillStyle = "rgb(128 128 128 / 22%)";
    for (let x = 1; x < columns; x += 1) context.fillRect(x * unit - 0.5, 0, 1, height);
    for (let y = 1; y < rows; y += 1) context.fillRect(0, y * unit - 0.5, width, 1);
  }
  if (!cursor) return;
  context.lineWidth = cursor.isKeyboard ? 4 : 2;
  // In two greys, one of which stands out from any ink.
  for (const [grey, wider] of [["#000", 2], ["#ddd", 0]]) {
    context.strokeStyle = grey;
    context.beginPath();
    context.arc(cursor.x * unit, cursor.y * unit, Math.max(3, cursor.radius * unit) + wider, 0, 2 * Math.PI);
    context.stroke();
  }
}
