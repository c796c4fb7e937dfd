/**
 * Numbers as the page writes them. A unit is one of "seconds" (250 us, 1.25 ms), "rate" (12.3 /s),
 * "share" (97.5%), "bytes" (134 MB), "count" (1,234) and "number" (three digits). What there is no value of is "-".
 */

const UNITS = {
  seconds: formatDuration,
  rate: formatPerSecond,
  share: formatShare,
  bytes: formatBytes,
  count: formatCount,
  number: formatNumber,
};

/** The function that writes values of a unit: `formatOf("seconds")(0.00125)` is "1.25 ms". */
export const formatOf = (unit) => UNITS[unit];

/** Seconds with three digits and their unit, as `mlpserve top` writes them. */
export function formatDuration(seconds) {
  if (isMissing(seconds)) return "-";
  // Rounded first: 999.9 us is 1 ms.
  const rounded = round(seconds, 3);
  const size = Math.abs(rounded);
  const [name, scale] = size >= 1 ? ["s", 1] : size >= 1e-3 ? ["ms", 1e-3] : ["us", 1e-6];
  return `${size === Infinity ? "inf" : plain(round(rounded / scale, 3))} ${name}`;
}

/** How many a second: one decimal, if it is not whole, as `mlpserve top`; what would be 0 has its first digit. */
export function formatRate(rate) {
  if (isMissing(rate)) return "-";
  if (rate && Math.abs(rate) < 0.05) return plain(round(rate, 1));
  // A quarter is halfway between two tenths: Python takes the even one.
  const isHalfway = Math.abs(rate % 0.5) === 0.25;
  return grouped(isHalfway ? (2 * Math.round(rate * 5)) / 10 : Number(rate.toFixed(1)), 1);
}

/** The same with its unit, for where no head of a column says it. */
export function formatPerSecond(rate) {
  return isMissing(rate) ? "-" : `${formatRate(rate)} /s`;
}

/** A share of 1 as per cent with one decimal, and more near 0 and 100, which it is never rounded to. */
export function formatShare(share) {
  if (isMissing(share)) return "-";
  const percent = 100 * share;
  const distance = Math.min(Math.abs(percent), Math.abs(100 - percent));
  if (distance >= 1) return `${percent.toFixed(1)}%`;
  if (distance && distance < 1e-4) return percent < 50 ? "<0.0001%" : ">99.9999%";
  return `${distance ? Number(percent.toFixed(1 - Math.floor(Math.log10(distance)))) : percent}%`;
}

/** Bytes with three digits, by thousands. */
export function formatBytes(bytes) {
  if (isMissing(bytes)) return "-";
  const rounded = round(bytes, 3);
  const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.abs(rounded) || 1) / 3)));
  return `${plain(round(rounded / 1000 ** power, 3))} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

/** A whole number, with commas. */
export function formatCount(count) {
  return isMissing(count) ? "-" : grouped(count, 0);
}

/** Three digits, and all of those before the point. */
export function formatNumber(number) {
  if (isMissing(number)) return "-";
  return Math.abs(number) >= 1000 ? grouped(number, 0) : plain(round(number, 3));
}

/** The local time of day of seconds since the epoch: "14:02:30", or "14:02" without its seconds. */
export function formatTime(seconds, hasSeconds = true) {
  return new Date(1000 * seconds).toTimeString().slice(0, hasSeconds ? 8 : 5);
}

const isMissing = (value) => typeof value !== "number" || Number.isNaN(value);

const GROUPED = [0, 1].map((digits) => new Intl.NumberFormat("en", { maximumFractionDigits: digits }));
const grouped = (number, digits) => GROUPED[digits].format(number);

/** As Python's format writes it: 0.0001, but 1e-05. */
function plain(number) {
  if (!number || Math.abs(number) >= 1e-4) return String(number);
  return number.toExponential().replace(/e-(\d)$/, "e-0$1");
}

/** So many digits; of what is halfway between two numbers the even one, as in Python. */
function round(number, digits) {
  if (Number(number.toPrecision(digits + 1)) !== number) return Number(number.toPrecision(digits));
  const [mantissa, exponent] = Math.abs(number).toExponential(60).split("e");
  const kept = mantissa.slice(0, digits + 1);
  const isHalfway = /^50*$/.test(mantissa.slice(digits + 1));
  // Number.toPrecision takes the larger one.
  if (isHalfway && kept.at(-1) % 2 === 0) return Math.sign(number) * Number(`${kept}e${exponent}`);
  return Number(number.toPrecision(digits));
}
