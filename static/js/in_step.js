/** Two media elements played in step, one of them heard, at equal loudness. */

import { rampTo } from "./audio_graph.js";

const CROSSFADE_S = 0.02;
const CHECK_EVERY_MS = 50;
/** Beyond this the silent element jumps; below it, it is played a little faster or slower. */
const JUMP_BEYOND_S = 0.12;
const IN_STEP_S = 0.003;
const MOST_RATE_CHANGE = 0.08;
const CATCH_UP_S = 0.4;
const READY_WITHIN_MS = 4000;

/** Gains that bring both to the quieter one's loudness: never above 1. Unknown loudness: both 1. */
export function matchedGains(lufs) {
  if (!lufs.every(Number.isFinite)) return [1, 1];
  const quieter = Math.min(...lufs);
  return lufs.map((one) => 10 ** ((quieter - one) / 20));
}

/** The stretch [from, to] of A's time in which both have sound; B's music starts offset s later. */
export function sharedStretch(durations, offset) {
  const from = Math.max(0, -offset);
  return [from, Math.max(from, Math.min(durations[0], durations[1] - offset))];
}

const happened = (element, name, limitMs) =>
  new Promise((done) => {
    const timer = setTimeout(done, limitMs);
    element.addEventListener(name, () => (clearTimeout(timer), done()), { once: true });
  });

/**
 * Times are seconds on the clock of the first element (A); `offset` is by how many seconds the
 * same music comes later in the second one (B).
 */
export class InStep {
  #context = null;
  #faders = null;
  #timer = 0;
  #ticket = 0;
  #switching = 0;
  #moving = false;

  /** @param {HTMLAudioElement[]} elements A and B  @param {number[]} gains of A and B, 0..1 */
  constructor(elements, gains) {
    this.elements = elements;
    this.gains = gains;
    this.offset = 0;
    this.heard = 0;
    this.playing = false;
    this.changed = () => {};
    for (const element of elements) {
      // Only the silent element's rate is ever changed; stretching it would cost time and steps.
      element.preservesPitch = false;
      element.addEventListener("pause", () => {
        if (!this.playing || this.#moving || !element.paused) return;
        if (element.ended) this.#finish();
        else this.pause();
      });
    }
  }

  get durations() {
    return this.elements.map((one) =>
      one.duration > 0 && one.duration < Infinity ? one.duration : Number(one.dataset.duration));
  }

  get stretch() {
    return sharedStretch(this.durations, this.offset);
  }

  get position() {
    return this.elements[this.heard].currentTime - (this.heard === 1 ? this.offset : 0);
  }

  /** The silent element's place minus where it should be, in seconds. */
  get drift() {
    const [a, b] = this.elements.map((one) => one.currentTime);
    const late = b - this.offset - a;
    return this.heard === 0 ? late : -late;
  }

  /** Call it from a press: browsers let sound begin only then. Rejects where it cannot. */
  async play() {
    if (this.playing) return;
    this.#connect();
    const [from, to] = this.stretch;
    const at = this.position;
    if (at < from - 0.01 || at > to - 0.1) this.#place(from);
    else this.#place(at);
    this.playing = true;
    await this.#start();
  }

  pause() {
    this.playing = false;
    clearInterval(this.#timer);
    for (const element of this.elements) element.pause();
    this.changed();
  }

  /** Go to a time on A's clock; goes on playing there if it played. */
  async seek(seconds) {
    const [from, to] = this.stretch;
    const ticket = ++this.#ticket;
    const arrived = this.#place(Math.min(Math.max(seconds, from), Math.max(from, to - 0.05)));
    this.changed();
    if (!this.playing) return;
    this.#moving = true;
    clearInterval(this.#timer);
    for (const element of this.elements) element.pause();
    await arrived;
    if (ticket !== this.#ticket) return;
    if (this.playing) await this.#start();
    else this.#moving = false;
  }

  /** Let the other one be heard (0 is A, 1 is B), from the same place. */
  async choose(side) {
    if (side === this.heard) return;
    const ticket = ++this.#switching;
    const drift = this.drift;
    this.heard = side;
    this.changed();
    const element = this.elements[side];
    element.playbackRate = 1;
    if (this.playing) {
      if (Math.abs(drift) > 0.04) {
        element.currentTime -= drift;
        await happened(element, "seeked", READY_WITHIN_MS);
      }
      if (element.readyState < 3) await happened(element, "canplay", READY_WITHIN_MS);
    } else {
      element.currentTime -= drift;
    }
    if (ticket === this.#switching) this.#fade();
  }

  #connect() {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#faders = this.elements.map((element, side) => {
        const fader = new GainNode(this.#context, { gain: side === this.heard ? this.gains[side] : 0 });
        this.#context.createMediaElementSource(element).connect(fader).connect(this.#context.destination);
        return fader;
      });
    }
    if (this.#context.state === "suspended") this.#context.resume();
  }

  #fade() {
    if (!this.#context) return;
    const now = this.#context.currentTime;
    this.#faders.forEach(({ gain }, side) => {
      // The same music on both sides adds up: straight lines keep its level through the switch.
      rampTo(gain, side === this.heard ? this.gains[side] : 0, now, CROSSFADE_S);
    });
  }

  /** Put both at a time of A's clock; resolves once they are there. */
  #place(seconds) {
    const times = [seconds, seconds + this.offset];
    return Promise.all(this.elements.map((element, side) => {
      if (Math.abs(element.currentTime - times[side]) < 0.001) return null;
      element.currentTime = times[side];
      return happened(element, "seeked", READY_WITHIN_MS);
    }));
  }

  async #start() {
    this.#moving = true;
    for (const element of this.elements) element.playbackRate = 1;
    try {
      await Promise.all(this.elements.map((element) => element.play()));
    } catch (reason) {
      if (reason.name === "AbortError") return;
      this.#moving = false;
      this.pause();
      throw reason;
    } finally {
      this.#moving = false;
    }
    if (!this.playing) return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#keep(), CHECK_EVERY_MS);
    this.changed();
  }

  #finish() {
    this.pause();
    this.seek(this.stretch[0]);
  }

  /** Bring the silent one into step with the one that is heard; stop at the end. */
  #keep() {
    const heard = this.elements[this.heard];
    const silent = this.elements[1 - this.heard];
    if (heard.ended || this.position >= this.stretch[1] - 0.02) {
      this.#finish();
      return;
    }
    if (heard.seeking || silent.seeking || heard.readyState < 3) return;
    const drift = this.drift;
    if (Math.abs(drift) > JUMP_BEYOND_S) {
      silent.playbackRate = 1;
      silent.currentTime -= drift;
    } else if (Math.abs(drift) > IN_STEP_S) {
      const change = Math.max(-MOST_RATE_CHANGE, Math.min(MOST_RATE_CHANGE, drift / CATCH_UP_S));
      silent.playbackRate = 1 - change;
    } else {
      silent.playbackRate = 1;
    }
    if (silent.paused) silent.play().catch(() => {});
  }
}
