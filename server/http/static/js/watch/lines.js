/** Paints the lines between neurons: coloured and dashed by sign, as strong as what flows along them. */

const LEVELS = 16;
/** So many fully strong lines may cross before all are painted fainter, to be told apart. */
const CROWD = 40;
const DASHES = { positive: [], negative: [5, 4] };

/**
 * Paint lines [{from: [x, y], to: [x, y], strength}], each strength in [-1, 1], as far along as
 * `progress` in [0, 1] says.
 */
export function paintLines(context, lines, colours, { progress = 1, opacity = 1 } = {}) {
  const crowd = lines.reduce((sum, { strength }) => sum + Math.abs(strength), 0);
  const clear = opacity * Math.min(1, Math.sqrt(CROWD / crowd));
  for (const sign of ["negative", "positive"]) {
    const paths = Array.from({ length: LEVELS + 1 }, () => null);
    for (const { from, to, strength } of lines) {
      if (strength > 0 !== (sign === "positive")) continue;
      const level = Math.min(LEVELS, Math.ceil(Math.abs(strength) * LEVELS));
      paths[level] ??= new Path2D();
      paths[level].moveTo(...from);
      paths[level].lineTo(from[0] + (to[0] - from[0]) * progress, from[1] + (to[1] - from[1]) * progress);
    }
    context.strokeStyle = colours[sign];
    context.setLineDash(DASHES[sign]);
    context.lineCap = sign === "positive" ? "round" : "butt";
    for (const [level, path] of paths.entries()) {
      if (!path) continue;
      const strength = level / LEVELS;
      context.globalAlpha = clear * Math.min(1, 0.05 + 0.95 * strength ** 0.8);
      context.lineWidth = 0.4 + 2.6 * strength;
      context.stroke(path);
    }
  }
  context.globalAlpha = 1;
  context.setLineDash([]);
}
