/** All stems of a track as one player: streams their pieces into the worklet, which mixes them. */
import { ChunkStream } from "./mixer_stream.js";

const RATE_HZ = 44100;
/** A player that pauses this long lets the sound card rest. */
const REST_MS = 60_000;

/**
 * Fires "play" when sound is asked for (so that other players of the page stop), "status" about 28
 * times a second while it sounds, and "trouble" when pieces cannot be fetched (`detail` says whether).
 */
export class MixPlayer extends EventTarget {
  #context = null;
  #node = null;
  #opening = null;
  #held = [];
  #gains = null;
  #loop = null;
  #speed = 1;
  #received = 0;
  #order = 0;
  #rest = 0;

  /**
   * @param {{urls: string[][], samples: number, chunkSamples: number, workletUrl: string,
   *          decoderUrl: string}} track
   */
  constructor(track) {
    super();
    this.track = track;
    /** What the worklet said last: place in samples, state, peaks of each stem and of the mix. */
    this.status = { at: 0, playing: false, waiting: false, ended: false, peaks: [] };
    this.stream = new ChunkStream(track, {
      put: (stem, index, sound) => this.#send({ type: "put", stem, index, sound }, [sound.buffer]),
      drop: (indexes) => this.#drop(indexes),
      trouble: (is) => this.dispatchEvent(new CustomEvent("trouble", { detail: is })),
    });
    this.playing = false;
  }

  /** Begin to fetch what a first press will need. */
  prepare() {
    this.stream.follow(this.status.at, this.#loop);
  }

  get duration() {
    return this.track.samples / RATE_HZ;
  }

  /** Whether sound is wanted but not there yet. */
  get waiting() {
    return this.playing && (!this.status.playing || this.status.waiting);
  }

  /** Place in seconds as it is heard now. */
  get position() {
    const { at, playing, waiting } = this.status;
    if (!playing || waiting || !this.playing) return at / RATE_HZ;
    const since = (performance.now() - this.#received) / 1000 - (this.#context.outputLatency || 0);
    const ahead = at / RATE_HZ + Math.min(0.2, since) * this.#speed;
    const end = this.#loop && at < this.#loop.end ? this.#loop.end / RATE_HZ : this.duration;
    return Math.max(0, Math.min(end, ahead));
  }

  /** Call it from a press: browsers let sound begin only then. Rejects where there can be none. */
  async play() {
    this.playing = true;
    clearTimeout(this.#rest);
    this.dispatchEvent(new Event("play"));
    this.stream.eager = true;
    this.#opening ??= this.#open();
    try {
      await this.#opening;
      // Browsers that want a press first never answer; the press has been given, or comes.
      if (this.#context.state !== "running") await this.#context.resume();
    } catch (reason) {
      this.#opening = null;
      this.pause();
      throw reason;
    }
    if (this.playing) this.#move({ type: "play" });
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.#move({ type: "pause" });
    this.#rest = setTimeout(() => this.#context?.suspend(), REST_MS);
    this.#tell({ ...this.status, playing: false, waiting: false });
  }

  seek(seconds) {
    const at = Math.round(Math.min(Math.max(0, seconds), Math.max(0, this.duration - 0.05)) * RATE_HZ);
    this.#move({ type: "seek", at });
    this.#tell({ ...this.status, at });
  }

  /** @param {{start: number, end: number} | null} stretch in seconds, to be repeated */
  set loop(stretch) {
    this.#loop = stretch && {
      start: Math.round(stretch.start * RATE_HZ),
      end: Math.min(this.track.samples, Math.round(stretch.end * RATE_HZ)),
    };
    this.#command({ type: "loop", loop: this.#loop });
    this.stream.follow(this.status.at, this.#loop);
  }

  set speed(speed) {
    this.#speed = speed;
    this.#command({ type: "speed", speed });
  }

  /** @param {number[][]} gains of each stem's left and right channel */
  set gains(gains) {
    this.#gains = gains;
    this.#command({ type: "gains", gains });
  }

  async #open() {
    // Decoded at their own rate, pieces join without a gap and nothing is resampled before the mix.
    const context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
    await context.audioWorklet.addModule(this.track.workletUrl);
    const { samples, chunkSamples, urls } = this.track;
    const node = new AudioWorkletNode(context, "stem-mixer", {
      numberOfInputs: 0,
      outputChannelCount: [2],
      processorOptions: { stems: urls.length, samples, chunkSamples },
    });
    node.port.onmessage = ({ data }) => this.#hear(data);
    node.onprocessorerror = () => this.pause();
    node.connect(context.destination);
    context.onstatechange = () => {
      // A call or another app took the sound away.
      if (context.state !== "running" && this.playing) this.pause();
    };
    this.#context = context;
    this.#node = node;
    this.#move({ type: "seek", at: this.status.at });
    this.#command({ type: "speed", speed: this.#speed });
    this.#command({ type: "loop", loop: this.#loop });
    if (this.#gains) this.#command({ type: "gains", gains: this.#gains });
    for (const [message, transfer] of this.#held.splice(0)) this.#send(message, transfer);
  }

  #command(message) {
    this.#node?.port.postMessage(message);
  }

  /** Moves count up, so that what was said before one is not taken for an answer to it. */
  #move(message) {
    this.#order += 1;
    this.#command({ ...message, order: this.#order });
  }

  #send(message, transfer = []) {
    if (this.#node) this.#node.port.postMessage(message, transfer);
    else this.#held.push([message, transfer]);
  }

  #drop(indexes) {
    if (this.#node) {
      this.#send({ type: "drop", indexes });
      return;
    }
    this.#held = this.#held.filter(([message]) => {
      const stays = !indexes.includes(message.index);
      if (!stays) this.stream.reuse([message.sound.buffer]);
      return stays;
    });
  }

  #hear(message) {
    if (message.type === "free") {
      this.stream.reuse(message.buffers);
      return;
    }
    if (message.order !== this.#order) return;
    if (message.ended) this.playing = false;
    this.#received = performance.now();
    this.#tell(message);
  }

  #tell(status) {
    this.status = status;
    this.stream.follow(status.at, this.#loop);
    this.dispatchEvent(new Event("status"));
  }
}
