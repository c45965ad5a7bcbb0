/** Short sounds from the server, looped; one takes over from another at the same place. */
import { rampTo } from "./audio_graph.js";

const CROSSFADE_S = 0.03;
const MOST_KEPT = 6;
const LONGEST_WAIT_S = 10;

const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

export class PreviewPlayer {
  #context = null;
  #kept = new Map();
  #current = null;
  #ticket = 0;

  /** @param {{changed: () => void, said: (text: string) => void}} tell */
  constructor(tell) {
    this.tell = tell;
    this.playing = false;
  }

  /** Place in the loop in seconds, for whoever wants to know. */
  get position() {
    if (!this.#current) return 0;
    const { since, buffer } = this.#current;
    return (this.#context.currentTime - since) % buffer.duration;
  }

  /**
   * Play a sound from where the last one is, or from its beginning. Call it from a press first.
   * Resolves to what the server says of its level, or null where another wish came between.
   */
  async play(url) {
    this.#context ??= new AudioContext();
    if (this.#context.state === "suspended") this.#context.resume();
    const ticket = ++this.#ticket;
    this.playing = true;
    this.tell.changed();
    try {
      const found = await this.#load(url, ticket);
      if (ticket !== this.#ticket || !this.playing) return null;
      this.#start(found.buffer);
      return found;
    } catch (error) {
      if (ticket !== this.#ticket) return null;
      this.pause();
      this.tell.said(error.forPeople ?? "The preview could not be made just now. Try again in a moment.");
      return null;
    }
  }

  pause() {
    this.#ticket += 1;
    this.playing = false;
    this.#stop();
    this.tell.changed();
  }

  async #load(url, ticket) {
    const known = this.#kept.get(url);
    if (known) {
      // The newest stands last.
      this.#kept.delete(url);
      this.#kept.set(url, known);
      return known;
    }
    this.tell.said("Rendering …");
    const answer = await this.#fetch(url, ticket);
    const buffer = await this.#context.decodeAudioData(await answer.arrayBuffer());
    const found = {
      buffer,
      offLu: Number(answer.headers.get("Loudness-Off-Lu")),
      limitedDb: Number(answer.headers.get("Peaks-Limited-Db")),
    };
    this.#kept.set(url, found);
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value);
    return found;
  }

  /** One render at a time is granted: who is told to wait does so once. */
  async #fetch(url, ticket) {
    for (const isLast of [false, true]) {
      const answer = await fetch(url);
      if (answer.ok) return answer;
      const text = answer.status === 429 || answer.status === 422 ? await answer.text() : undefined;
      const waitS = Number(answer.headers.get("Retry-After"));
      if (isLast || answer.status !== 429 || !(waitS <= LONGEST_WAIT_S)) {
        throw Object.assign(new Error(String(answer.status)), { forPeople: text });
      }
      this.tell.said("Waiting for its turn …");
      await sleep(waitS);
      if (ticket !== this.#ticket) break;
    }
    throw new Error("given up for another wish");
  }

  #start(buffer) {
    const context = this.#context;
    const now = context.currentTime;
    const at = this.#current ? this.position % buffer.duration : 0;
    const fader = new GainNode(context, { gain: 0 });
    const source = new AudioBufferSourceNode(context, { buffer, loop: true });
    source.connect(fader).connect(context.destination);
    source.start(now, at);
    rampTo(fader.gain, 1, now, CROSSFADE_S);
    this.#stop();
    this.#current = { source, fader, buffer, since: now - at };
  }

  #stop() {
    if (!this.#current) return;
    const { source, fader } = this.#current;
    const now = this.#context.currentTime;
    rampTo(fader.gain, 0, now, CROSSFADE_S);
    source.stop(now + CROSSFADE_S);
    this.#current = null;
  }
}
