/** To be written. */

export function start({ store, root }) {
  void store;
  void root;
}
