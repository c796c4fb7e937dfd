/** Charts are functions of an element and a content, which make the chart the first time and keep it. */

/** Such a function; `create(element)` makes a chart and returns what shows a content in it. */
export function keptIn(create) {
  const charts = new WeakMap();
  return (root, content) => {
    if (!charts.has(root)) charts.set(root, create(root));
    charts.get(root)(content);
  };
}
