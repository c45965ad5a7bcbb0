/** Selecting rows of the library: all at once, a range with Shift, and how many are selected. */

const results = () => document.getElementById("library-results");
const boxes = () => [...results().querySelectorAll('input[name="track"]')];
let last = null;

function refresh() {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const all = results().querySelector("[data-select-all]");
  const chosen = boxes().filter((box) => box.checked).length;
  all.hidden = false;
  all.checked = chosen > 0 && chosen === boxes().length;
  all.indeterminate = chosen > 0 && chosen < boxes().length;
  bar.querySelector("[data-selection-count]").textContent = chosen
    ? `${chosen} track${chosen === 1 ? "" : "s"} selected`
    : "";
  bar.hidden = chosen === 0;
  const title = bar.querySelector("[data-new-album]");
  title.hidden = bar.elements.album.value !== "new";
}

document.addEventListener("click", (event) => {
  const box = event.target.closest('input[name="track"]');
  if (!box) return;
  const row = boxes();
  if (event.shiftKey && last && row.includes(last)) {
    const [from, to] = [row.indexOf(last), row.indexOf(box)].sort((a, b) => a - b);
    for (const between of row.slice(from, to + 1)) between.checked = box.checked;
  }
  last = box;
  refresh();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-select-all]")) {
    for (const box of boxes()) box.checked = event.target.checked;
  }
  if (event.target.closest("#library-results")) refresh();
});

document.body.addEventListener("htmx:afterSettle", refresh);
if (results()) refresh();
