/* Runs before the page is drawn, so that it does not flash in colours that one has turned away from. */
for (const key of ["theme", "palette"]) {
  if (localStorage[key]) document.documentElement.dataset[key] = localStorage[key];
}
