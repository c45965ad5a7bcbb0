/** The stretch that is repeated: chosen by dragging over a waveform or by keys, shown on every lane. */
import { clock } from "./player.js";

const SHORTEST_S = 0.1;
/** Without a choice: eight seconds from here. */
const USUAL_S = 8;
const DRAG_PX = 6;
const EDGE_PX = 10;

const precise = (seconds) => `${clock(seconds)}.${Math.floor((seconds % 1) * 10)}`;

export class Loop {
  /** {start, end} in seconds, or null. */
  stretch = null;
  isOn = false;

  /**
   * @param {HTMLElement} root
   * @param {HTMLElement[]} waves that are dragged over
   * @param {import("./mixer_player.js").MixPlayer} player
   */
  constructor(root, waves, player) {
    const part = (name) => root.querySelector(`[data-loop-${name}]`);
    Object.assign(this, { player, waves, toggle: part("toggle"), text: part("text"), clear: part("clear") });
    for (const button of root.querySelectorAll("[data-loop-toggle], [data-loop-start], [data-loop-end]")) {
      button.disabled = false;
    }
    this.toggle.addEventListener("click", () => this.flip());
    this.clear.addEventListener("click", () => {
      this.set(null);
      this.toggle.focus();
    });
    part("start").addEventListener("click", () => this.startHere());
    part("end").addEventListener("click", () => this.endHere());
    for (const wave of waves) this.#listen(wave);
    this.show();
  }

  /** On or off; on without a choice repeats the next eight seconds. */
  flip() {
    if (!this.stretch) {
      const { duration } = this.player;
      const start = Math.min(this.player.position, Math.max(0, duration - USUAL_S));
      this.set({ start, end: Math.min(duration, start + USUAL_S) });
      return;
    }
    this.isOn = !this.isOn;
    this.#apply();
  }

  startHere() {
    const { position, duration } = this.player;
    const end = this.stretch && this.stretch.end > position + SHORTEST_S ? this.stretch.end : duration;
    this.set({ start: Math.min(position, duration - SHORTEST_S), end });
  }

  endHere() {
    const { position } = this.player;
    const start = this.stretch && this.stretch.start < position - SHORTEST_S ? this.stretch.start : 0;
    this.set({ start, end: Math.max(position, start + SHORTEST_S) });
  }

  set(stretch) {
    this.stretch = stretch;
    this.isOn = stretch !== null;
    this.#apply();
  }

  #apply() {
    this.player.loop = this.isOn ? this.stretch : null;
    if (this.isOn && this.player.position >= this.stretch.end) this.player.seek(this.stretch.start);
    this.show();
  }

  show(stretch = this.stretch) {
    this.toggle.setAttribute("aria-pressed", String(this.isOn));
    this.text.textContent = stretch ? `${precise(stretch.start)} – ${precise(stretch.end)}` : "";
    this.clear.hidden = !this.stretch;
    for (const wave of this.waves) {
      const region = wave.querySelector("[data-region]");
      region.hidden = !stretch;
      region.classList.toggle("is-off", !this.isOn && stretch === this.stretch);
      if (!stretch) continue;
      const { duration } = this.player;
      region.style.left = `${(100 * stretch.start) / duration}%`;
      region.style.right = `${100 - (100 * stretch.end) / duration}%`;
    }
  }

  /** A click goes there, a drag chooses, a drag at an edge moves the edge. */
  #listen(wave) {
    let drag = null;
    const secondsAt = (event) => {
      const box = wave.getBoundingClientRect();
      return (Math.min(Math.max(0, event.clientX - box.left), box.width) / box.width) * this.player.duration;
    };
    const between = (event) => {
      const [start, end] = [drag.anchor, secondsAt(event)].sort((a, b) => a - b);
      return { start, end };
    };
    wave.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      wave.setPointerCapture(event.pointerId);
      drag = { x: event.clientX, anchor: this.#anchor(wave, event) ?? secondsAt(event), moved: false };
    });
    wave.addEventListener("pointermove", (event) => {
      if (!drag) return;
      drag.moved ||= Math.abs(event.clientX - drag.x) >= DRAG_PX;
      if (drag.moved) this.show(between(event));
    });
    wave.addEventListener("pointerup", (event) => {
      if (!drag) return;
      const chosen = drag.moved ? between(event) : null;
      drag = null;
      if (!chosen) this.player.seek(secondsAt(event));
      else if (chosen.end - chosen.start >= SHORTEST_S) this.#choose(chosen);
      else this.show();
    });
    wave.addEventListener("pointercancel", () => {
      drag = null;
      this.show();
    });
  }

  /** The far end of the stretch if a press is on an edge of it. */
  #anchor(wave, event) {
    if (!this.stretch) return null;
    const { left, right } = wave.querySelector("[data-region]").getBoundingClientRect();
    if (Math.abs(event.clientX - left) <= EDGE_PX) return this.stretch.end;
    if (Math.abs(event.clientX - right) <= EDGE_PX) return this.stretch.start;
    return null;
  }

  #choose(stretch) {
    const { position } = this.player;
    this.set(stretch);
    if (position < stretch.start || position >= stretch.end) this.player.seek(stretch.start);
  }
}
