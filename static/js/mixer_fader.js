/** A labelled range input with a scale of its own: fine steps by keys, a double click resets. */

/**
 * @typedef {{
 *   place: (value: number) => number, value: (place: number) => number, text: (value: number) => string,
 *   spoken?: (value: number) => string, rest: number, snap: number, step: number, bigStep: number,
 *   low: number, high: number,
 * }} Scale `place` is 0..1; values within `snap` of `rest` go there while dragging
 */

const STEPS = 1000;

export class Fader {
  #value;

  /**
   * @param {HTMLInputElement} input  @param {HTMLElement} output  @param {Scale} scale
   * @param {(value: number) => void} changed
   */
  constructor(input, output, scale, changed) {
    Object.assign(this, { input, output, scale, changed });
    Object.assign(input, { min: "0", max: String(STEPS), step: "1", disabled: false });
    this.value = scale.rest;
    input.addEventListener("input", () => {
      const value = scale.value(Number(input.value) / STEPS);
      this.#set(Math.abs(value - scale.rest) <= scale.snap ? scale.rest : value, false);
    });
    // Only when let go, so that the thumb does not stick while it is dragged past.
    input.addEventListener("change", () => { this.value = this.#value; });
    input.addEventListener("dblclick", () => this.#set(scale.rest));
    input.addEventListener("keydown", (event) => this.#press(event));
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
    this.input.value = String(Math.round(this.scale.place(value) * STEPS));
    this.#say();
  }

  #set(value, moves = true) {
    if (moves) this.value = value;
    else {
      this.#value = value;
      this.#say();
    }
    this.changed(value);
  }

  #say() {
    const { text, spoken = text } = this.scale;
    this.output.textContent = text(this.#value);
    this.input.setAttribute("aria-valuetext", spoken(this.#value));
  }

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { step, bigStep, low, high, rest } = this.scale;
    const moves = {
      ArrowRight: step, ArrowUp: step, ArrowLeft: -step, ArrowDown: -step, PageUp: bigStep, PageDown: -bigStep,
    };
    if (event.key in moves) {
      const value = Math.round((this.#value + moves[event.key]) / step) * step;
      this.#set(Math.min(high, Math.max(low, Number(value.toFixed(3)))));
    } else if (event.key === "Delete" || event.key === "Backspace") this.#set(rest);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
