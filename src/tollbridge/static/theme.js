// Runs before the first paint: without a choice the page looks as the system does.
(() => {
  const root = document.documentElement;
  if (root.dataset.theme) return;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => root.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", follow);
  follow();
})();
