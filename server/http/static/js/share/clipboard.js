/** Copies what an element shows. */

/** Copy an element's text; false when that is not allowed, and the text is selected instead. */
export async function copyText(element) {
  try {
    // There is none but on HTTPS and on this machine.
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}
