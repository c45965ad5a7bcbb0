/** Choosing tracks for a mix target: the list narrows while one types, weights count once ticked. */

const form = document.querySelector("[data-pick]");
const search = form.querySelector("[data-pick-search]");
const rows = [...form.querySelectorAll("[data-pick-row]")];

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const wordsOf = (row) =>
  plain(["[data-pick-title]", "[data-pick-album]"].map((part) => row.querySelector(part)?.textContent ?? "").join(" "));

/** Ticked tracks stay in sight whatever is searched for. */
function narrow() {
  const words = plain(search.value).split(/\s+/).filter(Boolean);
  for (const row of rows) {
    const ticked = row.querySelector("[name=track]").checked;
    row.hidden = !ticked && !words.every((word) => wordsOf(row).includes(word));
  }
  form.querySelector("[data-pick-none]").hidden = rows.some((row) => !row.hidden);
}

function count() {
  let ticked = 0;
  for (const row of rows) {
    const { checked } = row.querySelector("[name=track]");
    ticked += checked;
    row.querySelector(".pick__weight").disabled = !checked;
  }
  form.querySelector("[data-pick-count]").textContent = `${ticked} of ${rows.length} chosen`;
}

if (search) {
  search.addEventListener("input", narrow);
  search.addEventListener("keydown", (event) => {
    // Enter asks the server only where the list is not all there is.
    if (event.key === "Enter" && search.dataset.pickCut === undefined) event.preventDefault();
  });
  form.addEventListener("change", count);
  count();
}
