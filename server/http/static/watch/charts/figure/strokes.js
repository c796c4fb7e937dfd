/** How series differ without their colours: lines by dashes, areas by textures. */

/** The colours of series, as variables of charts.css; others may be asked for by name. */
const COLOURS = 8;

/** Lengths of lines and gaps. */
export const DASHES = [[], [7, 3], [2, 2.5], [10, 3, 2, 3], [4, 3], [12, 3, 2, 3, 2, 3]];

/** Classes of charts.css, which paintTexture imitates. */
export const TEXTURES = ["plain", "rising", "level", "falling"];

/** The colour, dash and texture of series by their order; what is given stays. */
export const strokesOf = (series, index) => ({
  colour: `series-${(index % COLOURS) + 1}`,
  dash: index,
  texture: index,
  ...series,
});

/** Fill a path with a colour and a texture. */
export function paintTexture(context, path, colour, texture, ink, { left, top, width, height }) {
  context.fillStyle = colour;
  context.fill(path);
  const kind = TEXTURES[texture % TEXTURES.length];
  if (kind === "plain") return;
  context.save();
  context.clip(path);
  context.beginPath();
  const slope = { rising: -1, level: 0, falling: 1 }[kind];
  for (let y = slope ? -width : 0; y < height + width; y += slope ? 7 : 5) {
    context.moveTo(left, top + y + (slope < 0 ? width : 0));
    context.lineTo(left + width, top + y + (slope > 0 ? width : 0));
  }
  context.strokeStyle = ink;
  context.globalAlpha = 0.4;
  context.lineWidth = 1.5;
  context.stroke();
  context.restore();
}
