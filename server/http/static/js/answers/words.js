/** Says answers in words. */

/** An activation with as many digits as tell it from others. */
export const format = (number) => (Math.abs(number) < 10 ? number.toFixed(2) : number.toPrecision(3));

const join = (...words) => words.filter(Boolean).join(" and ");

function describeScale(scale, more, less) {
  const times = Math.max(scale, 1 / scale).toFixed(2);
  return times !== "1.00" && `${times} times ${scale > 1 ? more : less}`;
}

function describeShift(shift, forwards, backwards) {
  const pixels = Number(Math.abs(shift).toFixed(1));
  return pixels > 0 && `${pixels} ${pixels === 1 ? "pixel" : "pixels"} ${shift > 0 ? forwards : backwards}`;
}

/** What canonicalisation did to an image, as a sentence. */
export function describeDone({ inverted, scales: [height, width], shifts: [down, right] }) {
  const sizes = join(describeScale(height, "higher", "lower"), describeScale(width, "wider", "narrower"));
  const moves = join(describeShift(down, "down", "up"), describeShift(right, "right", "left"));
  const words = [inverted && "inverted", sizes && `ink ${sizes}`, moves && `moved ${moves}`].filter(Boolean).join("; ");
  return words ? `${words[0].toUpperCase()}${words.slice(1)}.` : "Nothing had to be changed.";
}

/** How long an answer took, or who else computed it. */
export function describeTime({ source, serverMilliseconds, milliseconds }) {
  if (source === "page") return "Computed in this page";
  const server = serverMilliseconds === undefined ? "" : `Server ${serverMilliseconds.toFixed(1)} ms, `;
  return `${server}round trip ${milliseconds.toFixed(1)} ms`;
}

/** What an answer reads, such as "7 at 0.98". */
export const describeLabel = ({ label, labelNames, activations }) =>
  `${labelNames[label]} at ${format(activations.at(-1)[label])}`;

/** Whether each version reads the same, and where their outputs differ most. */
export function describeDifference(answer, compared) {
  const [one, other] = [answer, compared].map(({ labelNames, label }) => labelNames[label]);
  const verdict = one === other ? `Both read ${one}.` : `They differ: ${one} and ${other}.`;
  const outputOf = ({ labelNames, activations }, name) => activations.at(-1)[labelNames.indexOf(name)];
  const [largest] = answer.labelNames
    .map((name) => ({ name, gap: outputOf(compared, name) - outputOf(answer, name) }))
    .filter(({ gap }) => Math.abs(gap) >= 0.005)
    .sort((a, b) => Math.abs(b.gap) - Math.abs(a.gap));
  if (!largest) return verdict;
  const gap = `${largest.gap > 0 ? "+" : "−"}${format(Math.abs(largest.gap))}`;
  return `${verdict} Largest difference: output ${largest.name}, ${gap}.`;
}
