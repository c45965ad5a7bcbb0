/**
 * Hearing one band of a playing <audio>, exactly as loud as the whole of it.
 *
 * The element feeds two ways: the full mix, and a band-pass of Butterworth filters of 8th order
 * (48 dB per octave at either end). Both are measured as they play, by their mean square behind the
 * K-weighting of ITU-R BS.1770-4, because a band at the same plain level as a mix can sound far
 * softer. The band is raised to the mix's loudness as far as its peaks leave room and not more than
 * 24 dB; what is still missing is taken off the mix instead, so that the comparison stays fair.
 */

import { graphOf } from "./audio_graph.js";

const MOST_GAIN_DB = 24;
const PEAK_CEILING = 0.95;
const FADE_S = 0.03;
const METER_MS = 80;
const METER_SAMPLES = 8192;
/** Mean squares are averaged over all that was heard of a region, but not longer than this many. */
const MOST_READINGS = 60;
/** Quality factors of the four second-order sections of an 8th-order Butterworth filter. */
const BUTTERWORTH_8 = [0.50979558, 0.60134489, 0.89997622, 2.56291545];

export const decibels = (ratio) => 20 * Math.log10(Math.max(ratio, 1e-6));
const ratioOf = (db) => 10 ** (db / 20);

function biquad(context, type, frequency, { q = Math.SQRT1_2, gain = 0 } = {}) {
  // Web Audio takes the Q of low- and high-passes in decibels.
  return new BiquadFilterNode(context, { type, frequency, Q: decibels(q), gain });
}

function chain(nodes) {
  nodes.reduce((from, to) => from.connect(to));
  return { input: nodes[0], output: nodes[nodes.length - 1] };
}

/** A band-pass from `low` to `high` Hz (both at -3 dB), with `tune` to move it. */
export function bandPass(context, low, high) {
  const nyquist = context.sampleRate / 2;
  const highs = BUTTERWORTH_8.map((q) => biquad(context, "highpass", low, { q }));
  const lows = BUTTERWORTH_8.map((q) => biquad(context, "lowpass", Math.min(high, nyquist), { q }));
  const tune = (from, to) => {
    for (const filter of highs) filter.frequency.value = from;
    for (const filter of lows) filter.frequency.value = Math.min(to, nyquist);
  };
  return { ...chain([...highs, ...lows]), tune };
}

/** The K-weighting of BS.1770-4: the head's shelf, and a high-pass. */
export function weightingFilters(context) {
  const gain = 3.99984;
  return [
    // The standard's shelf has its poles at 1682 Hz, Web Audio's at the fourth root of the gain
    // times its frequency.
    biquad(context, "highshelf", 1681.974 / ratioOf(gain / 4), { gain }),
    biquad(context, "highpass", 38.135, { q: 0.50033 }),
  ];
}

export const weighting = (context) => chain(weightingFilters(context));

/** Mean square (K-weighted) and peak of what passes, since the last reset. */
class Meter {
  constructor(context, source) {
    const weighted = weighting(context);
    this.loud = new AnalyserNode(context, { fftSize: METER_SAMPLES });
    this.plain = new AnalyserNode(context, { fftSize: METER_SAMPLES });
    source.connect(weighted.input);
    weighted.output.connect(this.loud);
    source.connect(this.plain);
    this.samples = new Float32Array(METER_SAMPLES);
    this.reset();
  }

  reset() {
    this.readings = 0;
    this.meanSquare = 0;
    this.peak = 0;
  }

  read() {
    this.loud.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    this.readings = Math.min(this.readings + 1, MOST_READINGS);
    this.meanSquare += (sum / METER_SAMPLES - this.meanSquare) / this.readings;
    this.plain.getFloatTimeDomainData(this.samples);
    for (const sample of this.samples) this.peak = Math.max(this.peak, Math.abs(sample));
  }

  get rms() {
    return Math.sqrt(this.meanSquare);
  }
}

/** Gains that make a band as loud as its mix: of root mean squares, and of the band's peak. */
export function match(mixRms, bandRms, bandPeak) {
  if (!(mixRms > 1e-5) || !(bandRms > 1e-7)) return { band: 1, mix: 1 };
  const needed = mixRms / bandRms;
  const room = Math.max(1, PEAK_CEILING / Math.max(bandPeak, 1e-6));
  const band = Math.min(needed, room, ratioOf(MOST_GAIN_DB));
  return { band, mix: Math.max(band / needed, ratioOf(-MOST_GAIN_DB)) };
}

export class BandListener {
  /** Must be made in answer to a gesture, once for an element, which it plays from then on. */
  constructor(audio) {
    this.audio = audio;
    const { context, bus, wake } = graphOf(audio);
    this.context = context;
    this.wake = wake;
    this.pass = bandPass(this.context, 20, 20000);
    this.mix = new GainNode(this.context);
    this.band = new GainNode(this.context, { gain: 0 });
    bus.disconnect();
    bus.connect(this.mix).connect(this.context.destination);
    bus.connect(this.pass.input);
    this.pass.output.connect(this.band).connect(this.context.destination);
    this.meters = { mix: new Meter(this.context, bus), band: new Meter(this.context, this.pass.output) };
    this.gains = { band: 1, mix: 1 };
    this.hears = "all";
  }

  /** Listen to a band from now on; `onMatch` is told the gains in dB whenever they change. */
  choose(low, high, onMatch) {
    this.pass.tune(low, high);
    for (const meter of Object.values(this.meters)) meter.reset();
    this.gains = { band: 1, mix: 1 };
    this.hears = "band";
    this.fade();
    clearInterval(this.timer);
    // The filter first has to fill with the new band.
    const from = performance.now() + 150;
    this.timer = setInterval(() => {
      if (this.audio.paused || this.audio.seeking || performance.now() < from) return;
      for (const meter of Object.values(this.meters)) meter.read();
      this.gains = match(this.meters.mix.rms, this.meters.band.rms, this.meters.band.peak);
      this.fade();
      onMatch({ bandDb: decibels(this.gains.band), mixDb: decibels(this.gains.mix) });
    }, METER_MS);
  }

  /** "band" or "mix"; the position is not touched. */
  hear(what) {
    this.hears = what;
    this.fade();
  }

  /** Back to the untouched sound. */
  leave() {
    clearInterval(this.timer);
    this.gains = { band: 1, mix: 1 };
    this.hears = "all";
    this.fade();
  }

  /** What is heard of each way right now, in dB (K-weighted), as far as it was measured. */
  levels() {
    return {
      band: decibels(this.meters.band.rms * this.gains.band),
      mix: decibels(this.meters.mix.rms * this.gains.mix),
    };
  }

  fade() {
    const at = this.context.currentTime;
    this.band.gain.setTargetAtTime(this.hears === "band" ? this.gains.band : 0, at, FADE_S);
    this.mix.gain.setTargetAtTime(this.hears === "band" ? 0 : this.gains.mix, at, FADE_S);
  }
}
