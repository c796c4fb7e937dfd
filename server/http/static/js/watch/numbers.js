/** Numbers as people read them: a true minus, and as many digits as are of use. */

const MINUS = "\u2212";

/** With so many decimals; huge and tiny ones as powers of ten. */
export function decimal(number, digits = 4) {
  if (!Number.isFinite(number)) return String(number);
  const size = Math.abs(number);
  const text = size >= 1e6 ? size.toExponential(2) : size.toFixed(digits);
  return number < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** With its sign, plus included. */
export function signed(number, digits = 4) {
  const text = decimal(number, digits);
  return text.startsWith(MINUS) ? text : `+${text}`;
}

/** For the inside of a circle: at most four characters and a minus. */
export function short(number) {
  const size = Math.abs(number);
  if (size < 99.95) return decimal(number, size < 9.995 ? 2 : 1);
  return size < 9999.5 ? decimal(number, 0) : `${number < 0 ? MINUS : ""}${size.toExponential(0).replace("+", "")}`;
}
