/** Similar tracks: two sections played against each other at one loudness; which name is needed. */
import { onlyOne } from "./player.js";

const audio = new Audio();
audio.preload = "none";
onlyOne(audio);

const SIDES = { ab: ["a", "b"], a: ["a"], b: ["b"] };
let run = 0;
let pressed = null;

function release() {
  pressed?.setAttribute("aria-pressed", "false");
  pressed = null;
}

function stop() {
  run += 1;
  audio.pause();
  release();
}

const say = (text) => document.dispatchEvent(new CustomEvent("announce", { detail: text }));

/** Resolves when one side's section is over. */
async function sound(pair, side, mine) {
  const of = (name) => pair.dataset[side + name];
  const end = Number(of("End"));
  if (audio.getAttribute("src") !== of("Url")) audio.src = of("Url");
  if (audio.readyState < HTMLMediaElement.HAVE_METADATA) {
    await new Promise((resolve, reject) => {
      audio.addEventListener("loadedmetadata", resolve, { once: true });
      audio.addEventListener("error", reject, { once: true });
      audio.load();
    });
  }
  if (mine !== run) return;
  audio.volume = Number(of("Volume"));
  audio.currentTime = Number(of("Start"));
  await audio.play();
  await new Promise((resolve) => {
    const look = () => {
      if (mine === run && !audio.ended && !audio.paused && audio.currentTime < end) return;
      for (const name of ["timeupdate", "pause", "ended"]) audio.removeEventListener(name, look);
      resolve();
    };
    for (const name of ["timeupdate", "pause", "ended"]) audio.addEventListener(name, look);
  });
  // Paused from elsewhere: another player of the page has begun.
  if (mine === run && audio.currentTime < end && !audio.ended) stop();
}

async function play(button) {
  stop();
  const mine = run;
  const pair = button.closest("[data-pair]");
  pressed = button;
  button.setAttribute("aria-pressed", "true");
  try {
    for (const side of SIDES[button.dataset.pairPlay]) {
      if (mine === run) await sound(pair, side, mine);
    }
  } catch (reason) {
    if (mine === run && reason.name !== "AbortError") say("This section cannot be played.");
  }
  if (mine === run) stop();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pair-play]");
  if (!button) return;
  if (button === pressed) stop();
  else play(button);
});

/** What needs JavaScript appears with it; the name field belongs to a new playlist only. */
function refresh() {
  for (const group of document.querySelectorAll("[data-pair] .segmented")) group.hidden = false;
  const chosen = document.getElementById("keep-in");
  const name = document.querySelector("[data-new-playlist]");
  if (chosen && name) name.hidden = chosen.value !== "new";
  const keep = document.getElementById("keep");
  if (keep) keep.hidden = !document.querySelector('input[name="track"]:checked');
}

document.addEventListener("change", (event) => {
  if (event.target.id === "keep-in" || event.target.name === "track") refresh();
});
// An address holds what was chosen, and no empty names.
document.body.addEventListener("htmx:configRequest", (event) => {
  if (event.target.id !== "filters") return;
  const { formData } = event.detail;
  for (const [name, value] of [...formData.entries()]) if (value === "") formData.delete(name);
});
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.id === "discover-results") stop();
});
document.body.addEventListener("htmx:afterSettle", refresh);
refresh();
