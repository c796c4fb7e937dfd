/** Tells screen readers, once things have come to rest. */

const REST_MILLISECONDS = 800;

/** Write what `describe()` says into a live region when the keys have not changed for a while. */
export function announce({ store, root, keys, describe }) {
  let timer = 0;
  store.watch(keys, () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const text = describe();
      if (root.textContent !== text) root.textContent = text;
    }, REST_MILLISECONDS);
  });
}
