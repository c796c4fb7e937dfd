/** Says answers in words. */

/** An activation with as many digits as tell it from others. */
export function format(number) {
  return Math.abs(number) < 10 ? number.toFixed(2) : number.toPrecision(3);
}

/** What canonicalisation did to an image, as a sentence. */
export function describeDone({ inverted, scales, shifts }) {
  const words = [];
  if (inverted) words.push("inverted");
  const sizes = [
    describeScale(scales[0], "higher", "lower"),
    describeScale(scales[1], "wider", "narrower"),
  ].filter(Boolean);
  if (sizes.length > 0) words.push(`ink ${sizes.join(" and ")}`);
  const moves = [describeShift(shifts[0], "down", "up"), describeShift(shifts[1], "right", "left")].filter(Boolean);
  if (moves.length > 0) words.push(`moved ${moves.join(" and ")}`);
  if (words.length === 0) return "Nothing had to be changed.";
  const sentence = words.join("; ");
  return `${sentence[0].toUpperCase()}${sentence.slice(1)}.`;
}

function describeScale(scale, more, less) {
  const times = (scale >= 1 ? scale : 1 / scale).toFixed(2);
  return times === "1.00" ? "" : `${times} times ${scale > 1 ? more : less}`;
}

function describeShift(shift, forwards, backwards) {
  const pixels = Math.abs(shift).toFixed(1).replace(".0", "");
  return pixels === "0" ? "" : `${pixels} ${pixels === "1" ? "pixel" : "pixels"} ${shift > 0 ? forwards : backwards}`;
}

/** How long an answer took, or who else computed it. */
export function describeTime({ source, serverMilliseconds: server, milliseconds }) {
  if (source === "page") return "Computed in this page";
  const trip = `round trip ${milliseconds.toFixed(1)} ms`;
  return server === null ? trip : `Server ${server.toFixed(1)} ms, ${trip}`;
}

/** What an answer reads, such as "7 at 0.98". */
export function describeLabel({ label, labelNames, activations }) {
  return `${labelNames[label]} at ${format(activations.at(-1)[label])}`;
}

/** Whether each version reads the same, and where their outputs differ most. */
export function describeDifference(answer, compared) {
  const [one, other] = [answer.labelNames[answer.label], compared.labelNames[compared.label]];
  const verdict = one === other ? `Both read ${one}.` : `They differ: ${one} and ${other}.`;
  const others = new Map(compared.labelNames.map((name, k) => [name, compared.activations.at(-1)[k]]));
  const gaps = answer.labelNames
    .map((name, k) => ({ name, gap: (others.get(name) ?? NaN) - answer.activations.at(-1)[k] }))
    .filter(({ gap }) => !Number.isNaN(gap))
    .sort((a, b) => Math.abs(b.gap) - Math.abs(a.gap));
  if (gaps.length === 0 || format(gaps[0].gap) === "0.00") return verdict;
  const sign = gaps[0].gap > 0 ? "+" : "\u2212";
  return `${verdict} Largest difference: output ${gaps[0].name}, ${sign}${format(Math.abs(gaps[0].gap))}.`;
}
