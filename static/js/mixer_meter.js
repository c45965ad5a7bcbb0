/** A pair of peak bars that fall slowly, and remember for a while that they were over full scale. */
import { decibelsOf, LOWEST_DB, placeOf } from "./mixer_levels.js";

const FALL_DB_PER_S = 26;
const OVER_MS = 2000;

export class Meter {
  #levels = [-Infinity, -Infinity];
  #over = 0;

  /** @param {HTMLElement} element with one child for each channel */
  constructor(element) {
    this.element = element;
    this.bars = [...element.children];
  }

  /** @param {number[]} peaks since the last call  @param {number} seconds since then */
  show(peaks, seconds) {
    const now = performance.now();
    if (peaks.some((peak) => peak > 1)) this.#over = now + OVER_MS;
    this.element.classList.toggle("is-over", now < this.#over);
    this.#levels = this.#levels.map((level, side) =>
      Math.max(decibelsOf(peaks[side] ?? 0), level - FALL_DB_PER_S * seconds));
    this.bars.forEach((bar, side) => {
      const place = this.#levels[side] <= LOWEST_DB ? 0 : placeOf(this.#levels[side]);
      bar.style.setProperty("--level", place.toFixed(4));
    });
  }

  get isResting() {
    return performance.now() >= this.#over && this.#levels.every((level) => level <= LOWEST_DB);
  }
}
