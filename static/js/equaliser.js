/**
 * The advised equaliser in the browser: the same filters as on the server.
 *
 * A move is {type: "bell" | "low_shelf" | "high_shelf", freq_hz, q, gain_db}. Responses are asked of
 * the browser's own filters, so the curve is what is heard.
 */
import { weightingFilters } from "./band_listening.js";

const TYPES = { bell: "peaking", low_shelf: "lowshelf", high_shelf: "highshelf" };
/** As on the server: a filter above half the sample rate is taken as a little below it. */
const HIGHEST_SHARE_OF_NYQUIST = 0.98;
const FLOOR = 1e-6;

/** A filter for a move, in any audio context. */
export function filterOf(context, move, gainDb = move.gain_db) {
  return new BiquadFilterNode(context, {
    type: TYPES[move.type],
    frequency: Math.min(move.freq_hz, (HIGHEST_SHARE_OF_NYQUIST * context.sampleRate) / 2),
    Q: move.q,
    gain: gainDb,
  });
}

/** A context for asking responses at a sound's own sample rate; it never plays. */
export function quietContext(sampleRate) {
  return new OfflineAudioContext(1, 1, Math.min(Math.max(sampleRate, 8000), 96000));
}

/** Gain of filters one after the other, in dB at each of `frequencies` (0 beyond what they know). */
export function responseDb(filters, frequencies) {
  const at = Float32Array.from(frequencies);
  const total = new Array(at.length).fill(0);
  const magnitude = new Float32Array(at.length);
  const phase = new Float32Array(at.length);
  for (const filter of filters) {
    filter.getFrequencyResponse(at, magnitude, phase);
    for (let i = 0; i < at.length; i += 1) {
      if (Number.isFinite(magnitude[i])) total[i] += 20 * Math.log10(Math.max(magnitude[i], FLOOR));
    }
  }
  return total;
}

/** K-weighting of ITU-R BS.1770-4 in dB at each of `frequencies`. */
export const kWeightingDb = (context, frequencies) => responseDb(weightingFilters(context), frequencies);

/**
 * Gain in dB that keeps a sound's loudness when its spectrum changes by `changeDb`.
 * All three are in dB at the same frequencies; see analysis/mixing/loudness_match.py.
 */
export function loudnessMatchDb(levelsDb, weightingDb, changeDb) {
  let before = 0;
  let after = 0;
  levelsDb.forEach((level, i) => {
    const power = 10 ** ((level + weightingDb[i]) / 10);
    before += power;
    after += power * 10 ** (changeDb[i] / 10);
  });
  return before > 0 && after > 0 ? -10 * Math.log10(after / before) : 0;
}
