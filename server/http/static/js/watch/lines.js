/** Paints the lines between neurons: coloured and dashed by sign, as strong as what flows along them. */

import { colours } from "./colours.js";

const LEVELS = 16;
/** So many fully strong lines may cross before all are painted fainter, to be told apart. */
const CROWD = 40;

/** Paint lines [{from: [x, y], to: [x, y], strength}], strengths in [-1, 1], as far along as `progress` in [0, 1]. */
export function paintLines(context, lines, progress, opacity) {
  const crowd = lines.reduce((sum, { strength }) => sum + Math.abs(strength), 0);
  const paths = new Map();
  for (const { from, to, strength } of lines) {
    const level = Math.sign(strength) * Math.ceil(Math.min(1, Math.abs(strength)) * LEVELS);
    const path = paths.get(level) ?? new Path2D();
    paths.set(level, path);
    path.moveTo(...from);
    path.lineTo(...from.map((place, axis) => place + (to[axis] - place) * progress));
  }
  for (const [level, path] of [...paths].sort(([a], [b]) => Math.abs(a) - Math.abs(b))) {
    const size = Math.abs(level) / LEVELS;
    context.strokeStyle = level > 0 ? colours().positive : colours().negative;
    context.setLineDash(level > 0 ? [] : [5, 4]);
    context.globalAlpha = opacity * Math.min(1, Math.sqrt(CROWD / crowd)) * (0.05 + 0.95 * size ** 0.8);
    context.lineWidth = 0.4 + 2.6 * size;
    context.stroke(path);
  }
}
