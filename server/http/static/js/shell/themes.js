/** Dark or light, and the colours of the signs; kept for the next visit. */

function keep(key, value) {
  document.documentElement.dataset[key] = value;
  try {
    localStorage.setItem(key, value);
  } catch {
    // Where nothing may be stored, it lasts as long as the page.
  }
}

export function start({ store, root }) {
  const theme = root.querySelector("#theme");
  const palette = root.querySelector("#palette");
  theme.addEventListener("change", () => {
    keep("theme", theme.value);
    store.set({ theme: theme.value });
  });
  palette.addEventListener("click", () => {
    const chosen = store.get("palette") === "film" ? "safe" : "film";
    keep("palette", chosen);
    store.set({ palette: chosen });
  });
  store.watch(["theme", "palette"], () => {
    theme.value = store.get("theme");
    palette.setAttribute("aria-pressed", String(store.get("palette") === "film"));
  });
}
