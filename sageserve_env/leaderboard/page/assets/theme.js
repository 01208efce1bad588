// The theme: the system's, or the reader's choice, which the browser keeps. Runs before the page is painted.
"use strict";
(() => {
  const root = document.documentElement, key = "sageserve-theme", themes = ["auto", "light", "dark"];

  function kept() {
    try { return localStorage.getItem(key); } catch { return null; } // storage may be refused
  }

  function show(theme) {
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
  }

  let theme = themes.includes(kept()) ? kept() : "auto";
  show(theme);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme"), name = button.querySelector("span");
    button.hidden = false;
    name.textContent = theme;
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      show(theme);
      name.textContent = theme;
      try { localStorage.setItem(key, theme); } catch { /* it lasts until the page is left */ }
    });
  });
})();
