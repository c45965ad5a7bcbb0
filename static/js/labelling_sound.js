/**
 * One clip in an endless loop without a gap, and where in it we are.
 *
 * Web Audio, because an <audio> element pauses for a moment at the end of each turn. Both edges are
 * faded over a few milliseconds: a clip is cut out of singing, and would click at its seam.
 */
const EDGE_S = 0.008;

export class LoopedClip {
  constructor() {
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.source = null;
    this.buffer = null;
    this.startedAt = 0; // on the context's clock: when second 0 of the clip would have sounded
    this.pausedAt = 0; // seconds into the clip
  }

  /** Browsers let sound begin in answer to a press only: call it from one. */
  unlock() {
    return this.context.resume();
  }

  /** @param {ArrayBuffer} bytes of a FLAC file. @returns {Promise<AudioBuffer>} */
  async decode(bytes) {
    const buffer = await this.context.decodeAudioData(bytes);
    const edge = Math.min(Math.round(EDGE_S * buffer.sampleRate), Math.floor(buffer.length / 2));
    for (let channel = 0; channel < buffer.numberOfChannels; channel += 1) {
      const samples = buffer.getChannelData(channel);
      for (let at = 0; at < edge; at += 1) {
        samples[at] *= at / edge;
        samples[samples.length - 1 - at] *= at / edge;
      }
    }
    return buffer;
  }

  get isPlaying() {
    return this.source !== null;
  }

  /** Seconds into the clip of what is heard now. */
  get position() {
    if (!this.buffer) return 0;
    if (!this.isPlaying) return this.pausedAt;
    const heard = this.context.currentTime - (this.context.outputLatency || 0) - this.startedAt;
    return heard <= 0 ? 0 : heard % this.buffer.duration;
  }

  /** Play another clip from its beginning. */
  play(buffer) {
    this.buffer = buffer;
    this.from(0);
  }

  /** Play from a place in the clip, in seconds; places beyond its ends come round. */
  from(seconds) {
    this.stop();
    if (!this.buffer) return;
    const { duration } = this.buffer;
    const at = ((seconds % duration) + duration) % duration;
    if (this.context.state !== "running") this.context.resume();
    this.source = new AudioBufferSourceNode(this.context, { buffer: this.buffer, loop: true });
    this.source.connect(this.context.destination);
    this.startedAt = this.context.currentTime - at;
    this.source.start(0, at);
  }

  pause() {
    this.pausedAt = this.position;
    this.stop();
  }

  flip() {
    if (this.isPlaying) this.pause();
    else this.from(this.pausedAt);
  }

  stop() {
    this.source?.stop();
    this.source?.disconnect();
    this.source = null;
  }

  /** No clip at all. */
  clear() {
    this.stop();
    this.buffer = null;
    this.pausedAt = 0;
  }
}
