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

/** A number with so many decimals and commas between thousands: "1,234.5". */
export function formatNumber(number, digits = 0) {
  if (Number.isNaN(number)) return "-";
  const [whole, decimals] = number.toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

/** A share, such as 0.5, in percent: "50%"; what is little is not nothing: "<1%". */
export function formatShare(share, digits = 0) {
  const percent = 100 * share;
  const least = 10 ** -digits;
  if (percent > 0 && percent < least / 2) return `<${least.toFixed(digits)}%`;
  return Number.isNaN(share) ? "-" : `${formatNumber(percent, digits)}%`;
}

/** A number of bytes in millions: "12 MB". */
export const formatMegabytes = (number) => (Number.isNaN(number) ? "-" : `${formatNumber(number / 1e6)} MB`);
