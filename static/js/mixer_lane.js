/** One stem of the mixer: its switches and faders, its waveform, its meter. */
import { Fader } from "./mixer_fader.js";
import { Meter } from "./mixer_meter.js";
import { LEVEL, PAN } from "./mixer_scales.js";
import { drawWave } from "./waveform.js";

/** Highest point of a waveform, 0..1. */
export const topOf = (peaks) => peaks.max.reduce((most, one, i) => Math.max(most, one, -peaks.min[i]), 0);

const scaled = ({ min, max }, by) => ({ min: min.map((one) => one * by), max: max.map((one) => one * by) });

export class Lane {
  #peaks = null;
  #width = 1;
  #pixels = 0;

  /**
   * @param {HTMLElement} element
   * @param {(changes: Partial<import("./mixer_levels.js").StemSetting>) => void} changed
   */
  constructor(element, changed) {
    this.element = element;
    this.name = element.dataset.lane;
    const part = (name) => element.querySelector(`[data-${name}]`);
    this.level = new Fader(part("level"), part("level-text"), LEVEL, (value) => changed({ gain_db: value }));
    this.pan = new Fader(part("pan"), part("pan-text"), PAN, (value) => changed({ pan: value }));
    this.mute = part("mute");
    this.solo = part("solo");
    this.meter = new Meter(part("meter"));
    this.wave = part("wave");
    this.canvases = [...this.wave.querySelectorAll("canvas")];
    for (const button of [this.mute, this.solo]) {
      button.disabled = false;
      const key = button === this.mute ? "mute" : "solo";
      button.addEventListener("click", () => changed({ [key]: button.getAttribute("aria-pressed") !== "true" }));
    }
    new ResizeObserver(() => this.#draw()).observe(this.wave);
  }

  get label() {
    return this.element.dataset.label;
  }

  /** @param {import("./mixer_levels.js").StemSetting} setting */
  show(setting, isHeard) {
    this.mute.setAttribute("aria-pressed", String(setting.mute));
    this.solo.setAttribute("aria-pressed", String(setting.solo));
    if (this.level.value !== setting.gain_db) this.level.value = setting.gain_db;
    if (this.pan.value !== setting.pan) this.pan.value = setting.pan;
    this.element.classList.toggle("is-silent", !isHeard);
  }

  /** @param {{min: number[], max: number[]}} peaks  @param {number} loudest point of all stems */
  draw(peaks, loudest) {
    this.#peaks = scaled(peaks, 1 / loudest);
    this.#draw();
  }

  /** @param {number} share of the track that was played, 0..1: told in whole pixels */
  moveTo(share) {
    const pixels = Math.round(share * this.#width);
    if (pixels === this.#pixels) return;
    this.#pixels = pixels;
    this.wave.style.setProperty("--played", (pixels / this.#width).toFixed(5));
  }

  #draw() {
    this.#width = this.wave.clientWidth * (window.devicePixelRatio || 1) || 1;
    this.#pixels = -1;
    // Drawn once as still to come and once as played: moving on is then only a matter of shifting.
    this.canvases.forEach((canvas, played) => drawWave(canvas, this.#peaks, played));
  }
}
