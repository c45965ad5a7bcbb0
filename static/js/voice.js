/** The voice page: which tag is marked under the waveform, and the timbre simulation. */
import { startSimulation } from "./voice_simulation.js";

const player = document.getElementById("player");
if (player) start(player);

function start(root) {
  const audio = root.querySelector("[data-player-audio]");
  const seekbar = root.querySelector("[data-seekbar]");
  const choices = root.querySelector("[data-strip-choices]");
  const parts = [...root.querySelectorAll("[data-strip-part]")];
  const chosen = () => choices.querySelector("input:checked").value;

  function show() {
    for (const part of parts) part.toggleAttribute("hidden", part.dataset.stripPart !== chosen());
  }
  choices.hidden = false;
  choices.addEventListener("change", show);
  show();

  // A press in the strip plays from the beginning of the clip below it.
  seekbar.addEventListener("pointerup", (event) => {
    const strip = root.querySelector(`[data-strip="${chosen()}"]`);
    const box = strip.getBoundingClientRect();
    if (event.clientY < box.top || event.clientY > box.bottom) return;
    const at = ((event.clientX - box.left) / box.width) * Number(root.dataset.duration);
    const mark = [...strip.querySelectorAll("[data-mark]")]
      .find(({ dataset }) => at >= Number(dataset.start) && at < Number(dataset.end));
    if (mark) audio.currentTime = Number(mark.dataset.start);
    // The player says on its own when it cannot.
    audio.play().catch(() => {});
  });

  const simulation = document.querySelector("[data-simulation]");
  if (simulation) startSimulation(simulation, root, audio);
}
