/** The same as tables: what each neuron adds up to, and what it makes of it. */

export function showTables(root, scene) {
  root.textContent = JSON.stringify(scene.sizes);
}
