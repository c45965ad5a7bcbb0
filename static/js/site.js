/** Behaviour of every page: menus that close, messages for screen readers, the docked player. */
import { startDock } from "./player.js";

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

/** A select or box marked data-autosubmit sends its form when it changes. */
document.addEventListener("change", (event) => {
  if (event.target.closest("[data-autosubmit]")) event.target.form?.requestSubmit();
});

/** Any page may send `announce` with {detail: text} on the document to have it read out. */
document.addEventListener("announce", (event) => {
  document.getElementById("announcer").textContent = event.detail;
});

/** What a polled piece of the page has to say is read out once, not every time it comes back. */
let announced = "";
document.body.addEventListener("htmx:afterSettle", () => {
  const text = document.querySelector("[data-announce]")?.dataset.announce ?? "";
  if (text && text !== announced) {
    document.dispatchEvent(new CustomEvent("announce", { detail: text }));
  }
  announced = text;
});

startDock();
