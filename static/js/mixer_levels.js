/**
 * Levels of a stem mix: fader taper, pan law, and which stems are heard.
 *
 * The gains are those of the server's render: `stemGains` here and its Python twin are tested equal.
 *
 * @typedef {{gain_db: number, pan: number, mute: boolean, solo: boolean}} StemSetting
 * @typedef {{stems: Object<string, StemSetting>, master_db: number}} MixSettings
 */

export const LOWEST_DB = -60;
export const HIGHEST_DB = 6;

export const ratioOf = (decibels) => 10 ** (decibels / 20);
export const decibelsOf = (ratio) => (ratio > 0 ? 20 * Math.log10(ratio) : -Infinity);

/** Decibels and heights of the scale that meters have had for decades (IEC 60268-18), up to +6 dB. */
const SCALE_DB = [-60, -50, -40, -30, -20, HIGHEST_DB];
const SCALE_HEIGHT = [2.5, 7.5, 15, 30, 50, 115];

function between(value, from, to) {
  const last = from.length - 1;
  if (value <= from[0]) return to[0];
  if (value >= from[last]) return to[last];
  const i = from.findIndex((edge) => value < edge) - 1;
  return to[i] + ((value - from[i]) * (to[i + 1] - to[i])) / (from[i + 1] - from[i]);
}

/** Place 0..1 of a level on a fader or meter: most of the way belongs to the top 20 dB. */
export const placeOf = (decibels) =>
  (between(decibels, SCALE_DB, SCALE_HEIGHT) - SCALE_HEIGHT[0]) / (SCALE_HEIGHT.at(-1) - SCALE_HEIGHT[0]);

/** The level in dB, to a tenth, at a place 0..1 of a fader. */
export function levelAt(place) {
  const height = SCALE_HEIGHT[0] + place * (SCALE_HEIGHT.at(-1) - SCALE_HEIGHT[0]);
  return Math.round(10 * between(height, SCALE_HEIGHT, SCALE_DB)) / 10 + 0;
}

/**
 * Gains of the left and right channel of a stereo stem at a balance of -1 (left) to 1 (right).
 *
 * Constant power: the squares of both always sum to 2, the middle changes nothing, an end silences
 * the far side and raises the near one by 3 dB.
 */
export function panGains(pan) {
  if (pan === 0) return [1, 1];
  const angle = ((pan + 1) * Math.PI) / 4;
  return [Math.SQRT2 * Math.cos(angle), Math.SQRT2 * Math.sin(angle)];
}

export const neutral = () => ({ gain_db: 0, pan: 0, mute: false, solo: false });

/** @returns {MixSettings} every stem as it is, or with changes by name of the stem */
export const freshMix = (names, changes = {}) => ({
  stems: Object.fromEntries(names.map((name) => [name, { ...neutral(), ...changes[name] }])),
  master_db: 0,
});

/** Whether a stem is heard: a muted one never is, and a solo silences all that have none. */
export function isHeard(settings, name) {
  const { mute, solo } = settings.stems[name];
  return !mute && (solo || !Object.values(settings.stems).some((one) => one.solo));
}

/**
 * What each stem's two channels are multiplied with, the master level included.
 * @param {MixSettings} settings  @param {string[]} names
 * @param {number} loweredDb by how much the stems were lowered (0 or less) when they were kept, which
 *   is made good here
 * @returns {number[][]} [left, right] of each name
 */
export const stemGains = (settings, names, loweredDb = 0) =>
  names.map((name) => {
    if (!isHeard(settings, name)) return [0, 0];
    const { gain_db: gain, pan } = settings.stems[name];
    const level = ratioOf(gain + settings.master_db - loweredDb);
    return panGains(pan).map((side) => level * side);
  });

/** Settings from outside made whole: unknown stems are dropped, missing ones neutral, levels in range. */
export function tidied(settings, names) {
  const within = (value, low, high) => Math.min(high, Math.max(low, Number.isFinite(value) ? value : 0));
  const stems = names.map((name) => {
    const one = { ...neutral(), ...settings?.stems?.[name] };
    return [name, {
      gain_db: within(one.gain_db, LOWEST_DB, HIGHEST_DB),
      pan: within(one.pan, -1, 1),
      mute: Boolean(one.mute),
      solo: Boolean(one.solo),
    }];
  });
  return { stems: Object.fromEntries(stems), master_db: within(settings?.master_db, LOWEST_DB, HIGHEST_DB) };
}
