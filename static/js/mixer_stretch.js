/**
 * Slower and faster without another pitch: WSOLA (Verhelst and Roelands, ICASSP 1993) on all stems at
 * once. Every stem is cut at the same places, found on their mix, so that they stay in step.
 */

/** Samples at 44.1 kHz: a new piece every 35 ms, looked for 17 ms around its place. */
export const HOP = 1536;
export const SEARCH = 768;
/** How far beyond a place one hop reads. */
export const LOOKAHEAD = 2 * HOP + SEARCH;

/** Candidates and template are first compared at a quarter of the rate. */
const COARSE = 4;

const FADE_IN = Float32Array.from({ length: HOP }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / HOP));

function thinned(sound, length) {
  const thin = new Float32Array(Math.floor(length / COARSE));
  for (let i = 0; i < thin.length; i += 1) {
    thin[i] = sound[4 * i] + sound[4 * i + 1] + sound[4 * i + 2] + sound[4 * i + 3];
  }
  return thin;
}

/** Offset in first..last at which `sound` is most like `wanted` (normalised cross-correlation). */
function likest(sound, wanted, first, last) {
  const size = wanted.length;
  let best = null;
  let most = 0;
  for (let offset = first; offset <= last; offset += 1) {
    let product = 0;
    let energy = 1e-9;
    for (let i = 0; i < size; i += 1) {
      const one = sound[offset + i];
      product += one * wanted[i];
      energy += one * one;
    }
    const likeness = product / Math.sqrt(energy);
    if (likeness > most) {
      most = likeness;
      best = offset;
    }
  }
  return best;
}

export class Stretcher {
  #region;
  #tails;
  #mono = new Float32Array(2 * HOP + 2 * SEARCH);
  #wanted = new Float32Array(HOP);
  #nominal = 0;
  #continues = 0;

  /** @param {import("./mixer_chunks.js").Chunks} chunks */
  constructor(chunks) {
    this.chunks = chunks;
    const pair = (size) => [new Float32Array(size), new Float32Array(size)];
    this.#region = Array.from({ length: chunks.stems }, () => pair(2 * HOP + 2 * SEARCH));
    this.#tails = Array.from({ length: chunks.stems }, () => pair(HOP));
    /** One hop of sound of each stem: [left, right]. */
    this.hop = Array.from({ length: chunks.stems }, () => pair(HOP));
  }

  /** Begin at a sample: the first hop is the sound there as it is. */
  begin(at) {
    this.#tails.forEach(([left, right], stem) => this.chunks.read(stem, at, HOP, left, right));
    this.#nominal = at;
    this.#continues = at;
  }

  /** Where the next hop's sound is. */
  get at() {
    return this.#nominal;
  }

  /** Where the sound goes on without a step if it is played as it is after the last hop. */
  get continues() {
    return this.#continues;
  }

  /**
   * Make the next hop.
   * @param {number} speed  @param {number[]} weights how loud each stem counts in the comparison
   */
  next(speed, weights) {
    const place = Math.round(this.#nominal);
    this.#region.forEach(([left, right], stem) =>
      this.chunks.read(stem, place - SEARCH, left.length, left, right));
    const start = this.#search(weights);
    this.#tails.forEach((tail, stem) => {
      tail.forEach((old, side) => {
        const sound = this.#region[stem][side];
        const out = this.hop[stem][side];
        for (let i = 0; i < HOP; i += 1) out[i] = old[i] + FADE_IN[i] * (sound[start + i] - old[i]);
        old.set(sound.subarray(start + HOP, start + 2 * HOP));
      });
    });
    const { chunks } = this;
    this.#continues = chunks.wrapped(place, place - SEARCH + start + HOP);
    this.#nominal = chunks.wrapped(this.#nominal, this.#nominal + HOP * speed);
  }

  /** Offset in the region of what best continues the last hop; the region's middle where nothing does. */
  #search(weights) {
    const add = (sum, [left, right], weight) => {
      for (let i = 0; i < sum.length; i += 1) sum[i] += weight * (left[i] + right[i]);
    };
    this.#mono.fill(0);
    this.#wanted.fill(0);
    weights.forEach((weight, stem) => {
      if (!weight) return;
      add(this.#mono, this.#region[stem], weight);
      add(this.#wanted, this.#tails[stem], weight);
    });
    const thin = thinned(this.#mono, HOP + 2 * SEARCH);
    const rough = likest(thin, thinned(this.#wanted, HOP), 0, (2 * SEARCH) / COARSE);
    if (rough === null) return SEARCH;
    const middle = COARSE * rough;
    const [first, last] = [Math.max(0, middle - COARSE), Math.min(2 * SEARCH, middle + COARSE)];
    return likest(this.#mono, this.#wanted, first, last) ?? middle;
  }
}
