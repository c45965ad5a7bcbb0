/** Pieces of all stems on one sample axis, and reading from them across pieces and around a loop. */

const FULL_SCALE = 1 / 32768;
/** At the seam of a loop the end fades into what precedes the beginning. */
const SEAM_SAMPLES = 256;

export class Chunks {
  #pieces;

  /** @param {{stems: number, samples: number, chunkSamples: number}} sizes */
  constructor({ stems, samples, chunkSamples }) {
    this.samples = samples;
    this.chunkSamples = chunkSamples;
    /** The stretch [start, end) that is repeated, in samples; null without one. */
    this.loop = null;
    this.#pieces = Array.from({ length: stems }, () => new Map());
  }

  get stems() {
    return this.#pieces.length;
  }

  /** @param {Int16Array} sound left and right in turn */
  put(stem, index, sound) {
    this.#pieces[stem].set(index, sound);
  }

  /** Forget pieces; returns their buffers, to be used again. */
  drop(indexes) {
    const buffers = [];
    for (const pieces of this.#pieces) {
      for (const index of indexes) {
        const piece = pieces.get(index);
        if (piece && pieces.delete(index)) buffers.push(piece.buffer);
      }
    }
    return buffers;
  }

  has(index) {
    return this.#pieces.every((pieces) => pieces.has(index));
  }

  /** Where playing stands after going on from `at` to `to`: back in the loop where it passed its end. */
  wrapped(at, to) {
    if (!this.loop || at >= this.loop.end || to < this.loop.end) return to;
    const { start, end } = this.loop;
    return start + ((to - end) % (end - start));
  }

  /** Stretches of the axis that `count` samples from `at` on come from: calls visit(from, length, done). */
  #runs(at, count, visit) {
    let place = at;
    let done = 0;
    while (done < count) {
      const inLoop = this.loop && place < this.loop.end;
      const length = inLoop ? Math.min(count - done, this.loop.end - place) : count - done;
      if (visit(place, length, done) === false) return;
      done += length;
      place = inLoop ? this.loop.start : place + length;
    }
  }

  /** Whether `count` samples from `at` on can be played; what lies outside the track is silence. */
  ready(at, count) {
    let there = true;
    this.#runs(at, count, (from, length) => {
      const last = Math.min(from + length, this.samples) - 1;
      const [low, high] = [Math.max(0, from), last].map((one) => Math.floor(one / this.chunkSamples));
      for (let index = low; there && index <= high; index += 1) there = this.has(index);
      return there;
    });
    return there;
  }

  /** Write `count` samples of a stem from `at` on into two arrays, from their beginning. */
  read(stem, at, count, left, right) {
    this.#runs(at, count, (from, length, done) => {
      this.#copy(stem, from, length, left, right, done);
      if (this.loop && from < this.loop.end) this.#seam(stem, from, length, left, right, done);
    });
  }

  #copy(stem, from, length, left, right, done) {
    const pieces = this.#pieces[stem];
    let i = 0;
    while (i < length) {
      const place = from + i;
      const index = Math.floor(place / this.chunkSamples);
      const offset = place - index * this.chunkSamples;
      const run = Math.min(length - i, this.chunkSamples - offset);
      const piece = pieces.get(index);
      const there = piece ? Math.min(run, Math.max(0, piece.length / 2 - offset)) : 0;
      for (let k = 0; k < there; k += 1) {
        left[done + i + k] = piece[2 * (offset + k)] * FULL_SCALE;
        right[done + i + k] = piece[2 * (offset + k) + 1] * FULL_SCALE;
      }
      left.fill(0, done + i + there, done + i + run);
      right.fill(0, done + i + there, done + i + run);
      i += run;
    }
  }

  #seam(stem, from, length, left, right, done) {
    const { start, end } = this.loop;
    const fade = Math.min(SEAM_SAMPLES, start, Math.floor((end - start) / 2));
    const begin = Math.max(from, end - fade);
    const count = from + length - begin;
    if (count <= 0) return;
    const [before, beside] = [new Float32Array(count), new Float32Array(count)];
    this.#copy(stem, begin - (end - start), count, before, beside, 0);
    for (let k = 0; k < count; k += 1) {
      const share = (begin + k - (end - fade) + 1) / (fade + 1);
      const i = done + begin - from + k;
      left[i] += share * (before[k] - left[i]);
      right[i] += share * (beside[k] - right[i]);
    }
  }
}
