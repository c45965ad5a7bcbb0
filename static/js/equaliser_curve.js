/** Draws an equaliser's response over a logarithmic frequency axis, 20 Hz to 20 kHz. */
import { responseDb } from "./equaliser.js";

const LOWEST_HZ = 20;
const OCTAVES = Math.log2(1000);
const POINTS = 160;

export class EqualiserCurve {
  /**
   * @param {SVGElement} svg with data-range (dB from the middle to the top), [data-curve-line],
   *   [data-curve-area] in a box of 1000 x 100, and a [data-curve-dot] for each filter
   * @param {BiquadFilterNode[]} filters
   */
  constructor(svg, filters) {
    this.filters = filters;
    this.range = Number(svg.dataset.range);
    this.line = svg.querySelector("[data-curve-line]");
    this.area = svg.querySelector("[data-curve-area]");
    this.dots = [...svg.querySelectorAll("[data-curve-dot]")];
    this.frequencies = Array.from({ length: POINTS + 1 }, (_, i) => LOWEST_HZ * 2 ** ((OCTAVES * i) / POINTS));
    this.centres = this.dots.map((dot) => Number(dot.dataset.curveDot));
  }

  height(db) {
    return 50 - (50 * Math.max(-this.range, Math.min(this.range, db))) / this.range;
  }

  draw() {
    const points = responseDb(this.filters, this.frequencies)
      .map((db, i) => `${((1000 * i) / POINTS).toFixed(1)} ${this.height(db).toFixed(2)}`)
      .join(" L");
    this.line.setAttribute("d", `M${points}`);
    this.area.setAttribute("d", `M0 50 L${points} L1000 50Z`);
    const at = responseDb(this.filters, this.centres);
    this.dots.forEach((dot, i) => {
      dot.setAttribute("y", `${this.height(at[i]).toFixed(2)}%`);
      dot.classList.toggle("is-off", this.filters[i].gain.value === 0);
    });
  }
}
