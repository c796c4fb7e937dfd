/* Runs before the page is drawn, so that it does not flash in colours that one has turned away from. */
for (const key of ["theme", "palette"]) {
  try {
    const chosen = localStorage.getItem(key);
    if (chosen) document.documentElement.dataset[key] = chosen;
  } catch {
    // Where nothing may be stored, the page looks as it does at first.
  }
}
