/** A playlist: "Play all" goes from one play button to the next, wherever one begins. */

const buttons = () => [...document.querySelectorAll(".tracks [data-play]")];
const all = document.querySelector("[data-play-all]");
let going = false;

function playing() {
  return buttons().findIndex((button) => button.getAttribute("aria-pressed") === "true");
}

if (all) {
  all.hidden = false;
  all.addEventListener("click", () => {
    going = true;
    if (playing() < 0) buttons()[0]?.click();
  });
  document.addEventListener("dock:ended", (event) => {
    if (!going) return;
    const list = buttons();
    const at = list.findIndex((button) => button.dataset.play === event.detail);
    if (at >= 0 && at + 1 < list.length) list[at + 1].click();
    else going = false;
  });
}
