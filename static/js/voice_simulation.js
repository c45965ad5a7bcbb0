/** The timbre simulation: sliders, a preview made by the server, A against B without a gap. */
import { PreviewPlayer } from "./voice_preview.js";

const SETTLED_MS = 500;

/**
 * @param {HTMLElement} root the section
 * @param {HTMLElement} player where the stretch is marked
 * @param {HTMLAudioElement} audio the page's own player: one of the two sounds
 */
export function startSimulation(root, player, audio) {
  const form = root.querySelector("[data-simulation-form]");
  const part = (name) => root.querySelector(`[data-${name}]`);
  const all = (name) => [...root.querySelectorAll(`[data-${name}]`)];
  const state = part("preview-state");
  const toggle = part("preview-play");
  const duration = Number(root.dataset.duration);
  const start = part("stretch-start");
  const seconds = part("stretch-seconds");
  let side = "changed";
  let timer = 0;

  const isNothing = () => all("amount").every((one) => one.hasAttribute("data-wet") || one.value === "0");

  function address(original) {
    const url = new URL(root.dataset.preview, location.href);
    for (const [name, value] of new FormData(form)) {
      if (name === "download") continue;
      const isAmount = form.elements[name]?.hasAttribute?.("data-amount");
      if (!(original && isAmount)) url.searchParams.set(name, value);
    }
    if (original) url.searchParams.set("original", "1");
    return url.href;
  }

  const preview = new PreviewPlayer({
    changed: () => {
      toggle.setAttribute("aria-pressed", String(preview.playing));
      toggle.setAttribute("aria-label", preview.playing ? "Pause the preview" : "Play the preview");
    },
    said: (text) => {
      state.textContent = text;
    },
  });

  function tell({ offLu, limitedDb } = {}) {
    if (isNothing()) state.textContent = "Nothing is set: both sound the same.";
    else if (offLu === undefined) state.textContent = "";
    else if (Math.abs(offLu) > 0.1) state.textContent = `The changed voice is ${Math.abs(offLu).toFixed(1)} LU ${offLu < 0 ? "quieter" : "louder"}: there is no more room for its peaks.`;
    else state.textContent = limitedDb >= 0.5 ? `As loud as before; single peaks were turned down by up to ${limitedDb.toFixed(1)} dB.` : "As loud as before.";
  }

  function wanted() {
    const original = side === "original" || isNothing();
    return { url: address(original), other: address(!original) };
  }

  async function play() {
    audio.pause();
    const found = await preview.play(wanted().url);
    if (found) tell(found);
  }

  /** Something was set: what sounds is made anew a moment later. */
  function change() {
    for (const one of all("amount")) {
      const text = `${one.value} %`;
      one.nextElementSibling.textContent = text;
      one.setAttribute("aria-valuetext", `${one.value} per cent`);
    }
    mark();
    link();
    clearTimeout(timer);
    if (preview.playing) timer = setTimeout(() => play(), SETTLED_MS);
    else tell();
  }

  function mark() {
    const from = Math.min(Number(start.value) || 0, duration);
    const length = Math.min(Number(seconds.value), duration - from);
    const bar = player.querySelector("[data-stretch-part]");
    bar.setAttribute("x", `${(100 * from) / duration}%`);
    bar.setAttribute("width", `${(100 * length) / duration}%`);
  }

  function link() {
    for (const anchor of all("settings")) {
      const url = new URL(anchor.href);
      for (const one of all("amount")) url.searchParams.set(one.name, one.value);
      anchor.href = url.href;
    }
  }

  function hear(wish) {
    side = wish;
    for (const button of all("hear")) button.setAttribute("aria-pressed", String(button.dataset.hear === side));
    if (preview.playing) play();
  }

  for (const shown of [toggle, part("stretch-here"), part("reset"), ...all("preview-switch")]) shown.hidden = false;
  toggle.addEventListener("click", () => (preview.playing ? preview.pause() : play()));
  for (const button of all("hear")) button.addEventListener("click", () => hear(button.dataset.hear));
  form.addEventListener("input", change);
  part("stretch-here").addEventListener("click", () => {
    const latest = Math.max(0, duration - Number(seconds.value));
    start.value = Math.min(audio.currentTime, latest).toFixed(1);
    change();
  });
  part("reset").addEventListener("click", () => {
    for (const one of all("amount")) one.value = one.hasAttribute("data-wet") ? "100" : "0";
    form.dispatchEvent(new Event("change", { bubbles: true }));
    change();
  });
  audio.addEventListener("play", () => preview.pause());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.key.toLowerCase() !== "b") return;
    const types = event.target.closest?.("input:not([type=checkbox], [type=range], [type=radio]), textarea, select, [contenteditable]");
    if (!types) hear(side === "original" ? "changed" : "original");
  });
  change();
}
