/** In which order names stand, as Python would sort them. */

/** Texts, by their characters' numbers in Unicode. */
export function byText(left, right) {
  const [some, others] = [[...left], [...right]];
  const at = some.findIndex((letter, k) => letter !== others[k]);
  if (at < 0) return some.length - others.length;
  return at < others.length ? some[at].codePointAt(0) - others[at].codePointAt(0) : 1;
}

/** Numbers in texts by their size, and what is none after them. */
export function byNumber(left, right) {
  const kinds = [left, right].map((text) => Number(!/^[0-9]+$/.test(text)));
  return kinds[0] - kinds[1] || left.length - right.length || byText(left, right);
}
