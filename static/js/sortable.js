/**
 * Lists whose items can be dragged into another order:
 * <ol data-sortable="address"><li data-id="…">. The new order is posted as order=…&order=…
 * The up and down buttons beside each item do the same without a mouse or JavaScript.
 */
import { csrfToken } from "./csrf.js";

async function save(list) {
  const body = new URLSearchParams();
  for (const item of list.children) body.append("order", item.dataset.id);
  const response = await fetch(list.dataset.sortable, {
    method: "POST",
    body,
    headers: { "X-CSRFToken": csrfToken() },
  });
  const text = response.ok ? "The new order is saved." : "The order could not be saved. Reload the page.";
  document.dispatchEvent(new CustomEvent("announce", { detail: text }));
  // Numbers and the first and last item's buttons depend on the order.
  if (response.ok) location.reload();
}

function connect(list) {
  let dragged = null;
  let before = [];
  for (const item of list.children) item.draggable = true;
  list.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("[data-id]");
    before = [...list.children];
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.id);
    dragged.classList.add("is-dragged");
  });
  list.addEventListener("dragover", (event) => {
    const over = event.target.closest("[data-id]");
    if (!dragged || !over || over.parentElement !== list) return;
    event.preventDefault();
    if (over === dragged) return;
    const items = [...list.children];
    const later = items.indexOf(over) > items.indexOf(dragged);
    list.insertBefore(dragged, later ? over.nextSibling : over);
  });
  list.addEventListener("drop", (event) => event.preventDefault());
  list.addEventListener("dragend", () => {
    dragged.classList.remove("is-dragged");
    dragged = null;
    if ([...list.children].some((item, index) => item !== before[index])) save(list);
  });
}

for (const list of document.querySelectorAll("[data-sortable]")) connect(list);
