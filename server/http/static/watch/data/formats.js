/** Numbers as they are shown: as mlpserve/terminal/ shows them, "-" for those that nobody knows. */

const UNITS = [["s", 1], ["ms", 1e-3], ["us", 1e-6]];

/** A duration with three digits and its unit: "1.25 ms". */
export function formatDuration(seconds) {
  if (Number.isNaN(seconds)) return "-";
  // Rounded first: 999.9 us is 1 ms.
  const rounded = Number(seconds.toPrecision(3));
  const [name, unit] = UNITS.find(([, unit]) => Math.abs(rounded) >= unit) ?? UNITS.at(-1);
  const value = rounded / unit;
  return `${Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3))} ${name}`;
}

/** A rate, such as calls per second, with one decimal: "1,234.5". */
export const formatRate = (number) => formatNumber(number, 1);

/** A whole number: "1,234". */
export const formatCount = (number) => formatNumber(number, 0);

/** A share, such as 0.5, in percent: "50%"; small ones with the digits that tell them from nothing: "0.04%". */
export function formatShare(share) {
  if (Number.isNaN(share)) return "-";
  const percent = 100 * share;
  if (percent !== 0 && Math.abs(percent) < 1) return `${Number(percent.toPrecision(1))}%`;
  return `${percent.toFixed(0)}%`;
}

/** A number of bytes, in millions: "12 MB". */
export const formatBytes = (bytes) => (Number.isNaN(bytes) ? "-" : `${formatCount(bytes / 1e6)} MB`);

/** An activation or an index, with two decimals: "0.97". */
export const formatDecimal = (number) => formatNumber(number, 2);

function formatNumber(number, digits) {
  if (Number.isNaN(number)) return "-";
  const [whole, decimals] = number.toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}
