/** What speaks for a genre: the switch between genres, and hot places to see and to hear. */
import { BandListener } from "./band_listening.js";

/**
 * @param {HTMLElement} player
 * @param {{audio: HTMLAudioElement, play: () => void} | null} sound null where there is none
 * @returns {{pick: (event: PointerEvent) => boolean, moved: (seconds: number) => void}}
 */
export function startEvidence(player, sound) {
  const all = (name) => [...player.querySelectorAll(`[data-${name}]`)];
  const choices = all("evidence-choice");
  const buttons = all("region");
  const bar = player.querySelector("[data-evidence-bar]");
  const strength = player.querySelector("#heat");
  const shown = () => choices.find((choice) => choice.checked)?.value ?? "1";
  const boxOf = (button) => player.querySelector(`[data-region-box="${button.dataset.region}"]`);
  const placeOf = ({ start, end, low, high }) => ({
    start: Number(start), end: Number(end), low: Number(low), high: Number(high),
  });
  let listener = null;
  let chosen = null;
  let place = null;

  if (bar) bar.hidden = false;
  for (const button of buttons) button.disabled = false;

  const mel = player.querySelector("[data-mel]");
  const applyStrength = () => mel.style.setProperty("--heat", String(Number(strength.value) / 100));
  if (strength && mel) {
    strength.addEventListener("input", applyStrength);
    applyStrength();
  }

  function show() {
    for (const part of all("evidence")) part.toggleAttribute("hidden", part.dataset.evidence !== shown());
  }
  for (const choice of choices) {
    choice.addEventListener("change", () => {
      leave();
      show();
    });
    // A browser that keeps a form's state over a reload.
    if (choice.checked) show();
  }

  function mark() {
    for (const button of buttons) {
      const on = button === chosen;
      button.setAttribute("aria-pressed", String(on));
      boxOf(button)?.classList.toggle("is-chosen", on);
    }
    for (const panel of all("listening")) {
      panel.hidden = !chosen || panel.closest("[data-evidence]").dataset.evidence !== shown();
    }
  }

  function leave() {
    if (!chosen) return;
    chosen = null;
    place = null;
    listener?.leave();
    mark();
  }

  function hear(what) {
    listener.hear(what);
    for (const button of all("listen")) {
      button.setAttribute("aria-pressed", String(button.dataset.listen === what));
    }
  }

  function tell(gains) {
    const range = chosen?.querySelector("[data-region-range]").textContent;
    const line = chosen?.closest("[data-evidence]").querySelector("[data-listening-state]");
    if (!line) return;
    const raised = Math.round(gains.bandDb);
    const lowered = Math.round(-gains.mixDb);
    const parts = [
      raised > 0 ? `${range} raised ${raised} dB` : `${range} as it is`,
      lowered > 0 ? `the mix lowered ${lowered} dB` : "",
    ].filter(Boolean);
    const text = `Equally loud: ${parts.join(", ")}.`;
    if (line.textContent !== text) line.textContent = text;
  }

  function choose(button) {
    if (button === chosen && !sound?.audio.paused) {
      sound?.audio.pause();
      leave();
      return;
    }
    chosen = button;
    place = placeOf(button.dataset);
    if (sound) {
      listener ??= new BandListener(sound.audio);
      sound.audio.currentTime = place.start;
      listener.choose(place.low, place.high, tell);
      hear("band");
      sound.play();
      loop();
    }
    mark();
  }
  for (const button of buttons) button.addEventListener("click", () => choose(button));
  for (const button of all("listen")) button.addEventListener("click", () => hear(button.dataset.listen));

  function wrap() {
    if (place && sound.audio.currentTime >= place.end) sound.audio.currentTime = place.start;
  }
  function loop() {
    if (!place) return;
    wrap();
    requestAnimationFrame(loop);
  }
  if (sound) {
    // Animation frames rest in a hidden tab; these do not.
    sound.audio.addEventListener("timeupdate", wrap);
    sound.audio.addEventListener("ended", () => {
      if (!place) return;
      sound.audio.currentTime = place.start;
      sound.play();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
  });

  return {
    /** Whether a press on the timeline was on a hot place, which is then chosen. */
    pick(event) {
      const hit = buttons.find((button) => {
        const box = boxOf(button);
        if (!box || box.closest("[data-evidence]").dataset.evidence !== shown()) return false;
        const { left, right, top, bottom } = box.getBoundingClientRect();
        const { clientX: x, clientY: y } = event;
        return x >= left && x <= right && y >= top && y <= bottom;
      });
      if (!hit || hit === chosen) return false;
      choose(hit);
      return true;
    },
    /** The listener went somewhere else by hand. */
    moved(seconds) {
      if (place && (seconds < place.start || seconds >= place.end)) leave();
    },
  };
}
