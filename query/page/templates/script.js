// Comfort only; everything works without it. "/" goes to the search field, j and k walk through the results, Enter opens. Keys act only when no field has the focus, and not at all when the reader has
// switched them off (localStorage "keys" = "off").
"use strict";
(() => {
  const field = document.getElementById("q");
  const hits = Array.from(document.querySelectorAll(".hit-link"));
  let at = hits.findIndex((hit) => hit.getAttribute("aria-current") === "true");
  const keysOff = () => { try { return localStorage.getItem("keys") === "off"; } catch { return false; } };
  const go = (step) => {
    if (hits.length === 0) return;
    at = Math.max(0, Math.min(hits.length - 1, at + step));
    for (const [index, hit] of hits.entries()) hit.parentElement.classList.toggle("selected", index === at);
    hits[at].focus({ preventScroll: true });
    hits[at].scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || keysOff()) return;
    if (event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "/") { event.preventDefault(); field.focus(); field.select(); }
    if (event.key === "j") go(1);
    if (event.key === "k") go(-1);
  });
  // Whoever picks a mail means the selection.
  document.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.classList.contains("pick") && event.target.checked) {
      const some = document.getElementById("x-some");
      if (some) some.checked = true;
    }
  });
  const open = document.querySelector(".hit.open");
  if (open) open.scrollIntoView({ block: "center" });
})();
