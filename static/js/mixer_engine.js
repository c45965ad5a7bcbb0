/**
 * The mixer's sound: all stems read on one clock, stretched, levelled and summed. No Web Audio in it,
 * so that it runs in an audio worklet and can be tested by calling it.
 */
import { Chunks } from "./mixer_chunks.js";
import { HOP, LOOKAHEAD, Stretcher } from "./mixer_stretch.js";

/** Starting, stopping and jumping fade over 5 ms; a level reaches a new value within about 20 ms. */
const FADE_SAMPLES = 220;
const LEVEL_SAMPLES = 180;
/** What must be there before sound goes on after it ran out. */
const ENOUGH_SAMPLES = 22050;
const BLOCK = 128;

export class MixEngine {
  #at = 0;
  #speed = 1;
  #fade = 0;
  #goingTo = null;
  #starving = false;
  #stretcher;
  #stretched = 0;
  #hopAt = 0;
  #isStretching = false;
  #levels;
  #wanted;
  #blocks;
  #peaks;

  /** @param {{stems: number, samples: number, chunkSamples: number}} sizes */
  constructor(sizes) {
    this.chunks = new Chunks(sizes);
    this.playing = false;
    this.ended = false;
    this.#stretcher = new Stretcher(this.chunks);
    const pairs = (make) => Array.from({ length: sizes.stems }, make);
    this.#levels = pairs(() => [1, 1]);
    this.#wanted = pairs(() => [1, 1]);
    this.#blocks = pairs(() => [new Float32Array(BLOCK), new Float32Array(BLOCK)]);
    this.#peaks = pairs(() => [0, 0]).concat([[0, 0]]);
  }

  play() {
    this.playing = true;
    this.ended = false;
  }

  pause() {
    this.playing = false;
  }

  /** Go to a sample; what sounds fades out there and in here. */
  seek(at) {
    this.#goingTo = Math.min(Math.max(0, Math.round(at)), this.chunks.samples);
  }

  set speed(speed) {
    this.#speed = speed;
  }

  /** Gains of each stem's left and right channel. At rest they hold at once, while it sounds softly. */
  set gains(gains) {
    this.#wanted = gains;
    if (this.#fade === 0) this.#levels = gains.map((pair) => [...pair]);
  }

  /** Place, state and the peaks since the last call (of each stem, then of the mix). */
  status() {
    const peaks = this.#peaks.map((pair) => [...pair]);
    for (const pair of this.#peaks) pair.fill(0);
    return {
      at: this.#goingTo ?? this.#place(),
      playing: this.playing,
      waiting: this.playing && this.#starving,
      ended: this.ended,
      peaks,
    };
  }

  /** Fill two arrays of at most 128 samples with the mix. */
  process(left, right) {
    left.fill(0);
    right.fill(0);
    if (this.#fade === 0 && !this.#begin()) return;
    const goal = this.playing && this.#goingTo === null && !this.#runsOut() ? 1 : 0;
    const count = left.length;
    this.#produce(count);
    this.#sum(left, right, count);
    this.#shape(left, right, goal);
    if (this.#fade === 0) this.#settle();
    else if (this.#place() >= this.chunks.samples) this.#end();
  }

  #place() {
    if (!this.#isStretching) return this.#at;
    const ahead = this.#stretched === HOP ? 0 : this.#stretched * this.#speed;
    return this.chunks.wrapped(this.#hopAt, this.#hopAt + ahead);
  }

  /** From silence: whether sound begins with this block. */
  #begin() {
    this.#settle();
    if (!this.playing) return false;
    if (this.#at >= this.chunks.samples) {
      this.#end();
      return false;
    }
    const needed = Math.max(this.#starving ? ENOUGH_SAMPLES : 0, this.#margin() + BLOCK);
    if (!this.chunks.ready(this.#at, Math.min(needed, this.chunks.samples - this.#at))) {
      this.#starving = true;
      return false;
    }
    this.#starving = false;
    this.#levels = this.#wanted.map((pair) => [...pair]);
    // The very beginning of a track is meant as it is.
    this.#fade = this.#at === 0 ? 1 : 1 / FADE_SAMPLES;
    return true;
  }

  #margin() {
    return 2 * FADE_SAMPLES + (this.#speed === 1 && !this.#isStretching ? 0 : LOOKAHEAD + 2 * HOP);
  }

  #runsOut() {
    const at = Math.round(this.#place());
    const needed = Math.min(this.#margin() + BLOCK, this.chunks.samples - at);
    this.#starving = needed > 0 && !this.chunks.ready(at, needed);
    return this.#starving;
  }

  /** In silence: go where a jump wants to, forget what was being stretched. */
  #settle() {
    this.#at = this.#goingTo ?? Math.min(Math.round(this.#place()), this.chunks.samples);
    this.#goingTo = null;
    this.#isStretching = false;
  }

  #end() {
    this.#fade = 0;
    this.#isStretching = false;
    this.playing = false;
    this.ended = true;
    this.#at = 0;
  }

  /** The next samples of every stem, at the speed that is set, into the blocks. */
  #produce(count) {
    let done = 0;
    while (done < count) {
      if (this.#isStretching && this.#stretched === HOP && this.#speed === 1) {
        this.#at = this.#stretcher.continues;
        this.#isStretching = false;
      }
      if (!this.#isStretching && this.#speed !== 1) {
        this.#stretcher.begin(this.#at);
        this.#stretched = HOP;
        this.#hopAt = this.#at;
        this.#isStretching = true;
      }
      done += this.#isStretching ? this.#stretch(done, count - done) : this.#copy(done, count - done);
    }
  }

  #copy(done, count) {
    this.#blocks.forEach(([left, right], stem) =>
      this.chunks.read(stem, this.#at, count, left.subarray(done), right.subarray(done)));
    this.#at = this.chunks.wrapped(this.#at, this.#at + count);
    return count;
  }

  #stretch(done, most) {
    if (this.#stretched === HOP) {
      this.#hopAt = this.#stretcher.at;
      this.#stretcher.next(this.#speed, this.#wanted.map(([left, right]) => left + right));
      this.#stretched = 0;
    }
    const count = Math.min(most, HOP - this.#stretched);
    const to = this.#stretched + count;
    this.#stretcher.hop.forEach((pair, stem) => {
      pair.forEach((sound, side) => this.#blocks[stem][side].set(sound.subarray(this.#stretched, to), done));
    });
    this.#stretched = to;
    if (to === HOP) this.#hopAt = this.#stretcher.at;
    return count;
  }

  #sum(left, right, count) {
    const out = [left, right];
    this.#blocks.forEach((pair, stem) => {
      pair.forEach((sound, side) => {
        const wanted = this.#wanted[stem][side];
        let level = this.#levels[stem][side];
        let peak = this.#peaks[stem][side];
        const sum = out[side];
        for (let i = 0; i < count; i += 1) {
          if (level !== wanted) {
            level += (wanted - level) / LEVEL_SAMPLES;
            if (Math.abs(wanted - level) < 1e-5) level = wanted;
          }
          const one = level * sound[i];
          sum[i] += one;
          const size = one < 0 ? -one : one;
          if (size > peak) peak = size;
        }
        this.#levels[stem][side] = level;
        this.#peaks[stem][side] = peak;
      });
    });
  }

  /** The fade of the whole mix, and its meter. */
  #shape(left, right, goal) {
    const step = goal ? 1 / FADE_SAMPLES : -1 / FADE_SAMPLES;
    const peaks = this.#peaks.at(-1);
    for (let i = 0; i < left.length; i += 1) {
      left[i] *= this.#fade;
      right[i] *= this.#fade;
      peaks[0] = Math.max(peaks[0], Math.abs(left[i]));
      peaks[1] = Math.max(peaks[1], Math.abs(right[i]));
      if (this.#fade !== goal) this.#fade = Math.min(1, Math.max(0, this.#fade + step));
    }
  }
}
