/**
 * Brings the pieces of all stems that are needed next: fetches, decodes, retries, and keeps no more
 * than about a minute of them. What was dropped comes back from the browser's own cache.
 */

const BUDGET_BYTES = 44e6;
const FEWEST_CHUNKS = 3;
const PARALLEL = 4;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const BYTES_PER_SAMPLE = 4;

/** As many pieces of time as fit into the budget. */
export const chunksKept = (stems, chunkSamples) =>
  Math.max(FEWEST_CHUNKS, Math.floor(BUDGET_BYTES / (stems * chunkSamples * BYTES_PER_SAMPLE)));

/** Indexes of the next pieces in the order in which they will sound; a loop comes back to its start. */
export function playOrder(at, count, { samples, chunkSamples, loop }) {
  const order = [];
  const add = (from, to) => {
    for (let i = Math.floor(from / chunkSamples); i * chunkSamples < to && order.length < count; i += 1) {
      if (!order.includes(i)) order.push(i);
    }
  };
  if (loop && at < loop.end) {
    add(at, loop.end);
    add(loop.start, loop.end);
  } else {
    add(at, samples);
    add(0, samples);
  }
  return order;
}

/** The worker that fetches and decodes, as a function of promises. */
class Decoder {
  #worker;
  #waiting = new Map();
  #tickets = 0;

  constructor(url) {
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#answer(data);
    this.#worker.onerror = () => {
      const error = "the decoder does not start";
      for (const { buffer, resolve } of this.#waiting.values()) resolve({ length: 0, buffer, error });
      this.#waiting.clear();
    };
  }

  /**
   * @param {string} url  @param {RequestCache} cache  @param {AbortSignal} signal
   * @param {ArrayBuffer} buffer for the samples, given away
   * @returns {Promise<{length: number, buffer: ArrayBuffer, error?: string}>} samples of both channels,
   *   none where it went wrong
   */
  decode(url, cache, signal, buffer) {
    this.#tickets += 1;
    const ticket = this.#tickets;
    signal.addEventListener("abort", () => this.#worker.postMessage({ type: "abort", ticket }));
    return new Promise((resolve) => {
      this.#waiting.set(ticket, { buffer, resolve });
      this.#worker.postMessage({ type: "decode", ticket, url, cache, buffer }, [buffer]);
    });
  }

  #answer(message) {
    this.#waiting.get(message.ticket)?.resolve(message);
    this.#waiting.delete(message.ticket);
  }
}

export class ChunkStream {
  #decoder;
  #state = new Map();
  #loading = new Map();
  #order = [];
  #pool = [];
  #at = 0;
  #loop = null;
  #most = 1;
  /** Pieces that failed and have not come since. */
  #missing = new Set();
  #rounds = 0;
  #timer = 0;

  /**
   * @param {{urls: string[][], samples: number, chunkSamples: number, decoderUrl: string}} track urls
   *   of each stem's pieces
   * @param {{put: (stem: number, index: number, sound: Int16Array) => void,
   *          drop: (indexes: number[]) => void, trouble: (is: boolean) => void}} sink
   */
  constructor(track, sink) {
    this.track = track;
    this.sink = sink;
    this.#decoder = new Decoder(track.decoderUrl);
    this.kept = chunksKept(track.urls.length, track.chunkSamples);
    window.addEventListener("online", () => this.again());
  }

  /** How many pieces of time may be fetched ahead: one until somebody plays, then all that fit. */
  set eager(eager) {
    this.#most = eager ? this.kept : 1;
    this.#plan();
  }

  /** Tell where the sound is, and which stretch [start, end) is repeated. */
  follow(at, loop) {
    const { chunkSamples } = this.track;
    const moved = Math.floor(at / chunkSamples) !== Math.floor(this.#at / chunkSamples) || loop !== this.#loop;
    this.#at = at;
    this.#loop = loop;
    if (moved || !this.#order.length) this.#plan();
  }

  /** Buffers that were dropped, to be filled again. */
  reuse(buffers) {
    this.#pool.push(...buffers);
  }

  /** Try again now what failed. */
  again() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    for (const [key, state] of this.#state) if (state === "failed") this.#state.delete(key);
    this.#plan();
  }

  #plan() {
    const here = Math.floor(this.#at / this.track.chunkSamples);
    const most = Math.max(1, this.#most - 1);
    this.#order = playOrder(this.#at, most, { ...this.track, loop: this.#loop });
    const keep = new Set(this.#order);
    // One piece behind stays: small steps back need no waiting.
    if (this.#most > 1) keep.add(here - 1);
    const gone = new Set();
    for (const key of this.#state.keys()) {
      const index = Number(key.split(":")[1]);
      if (!keep.has(index)) {
        this.#state.delete(key);
        gone.add(index);
      }
    }
    for (const [key, abort] of this.#loading) {
      if (!keep.has(Number(key.split(":")[1]))) abort.abort();
    }
    if (gone.size) this.sink.drop([...gone]);
    for (const key of this.#missing) if (!keep.has(Number(key.split(":")[1]))) this.#mended(key);
    this.#fill();
  }

  #fill() {
    for (const index of this.#order) {
      for (let stem = 0; stem < this.track.urls.length; stem += 1) {
        if (this.#loading.size >= PARALLEL) return;
        const key = `${stem}:${index}`;
        if (!this.#state.has(key) && !this.#loading.has(key)) this.#load(key, stem, index);
      }
    }
  }

  async #load(key, stem, index) {
    const abort = new AbortController();
    this.#loading.set(key, abort);
    try {
      const cache = this.#missing.has(key) ? "no-cache" : "default";
      const sound = await this.#fetched(this.track.urls[stem][index], index, cache, abort.signal);
      if (abort.signal.aborted) this.#pool.push(sound.buffer);
      else {
        this.#state.set(key, "there");
        this.sink.put(stem, index, sound);
        this.#mended(key);
      }
    } catch {
      if (!abort.signal.aborted) this.#failed(key);
    }
    this.#loading.delete(key);
    this.#fill();
  }

  #failed(key) {
    this.#state.set(key, "failed");
    this.#missing.add(key);
    if (this.#timer) return;
    this.#rounds += 1;
    // A short slip is mended without a word.
    if (this.#rounds > 2) this.sink.trouble(true);
    this.#timer = setTimeout(() => this.again(), RETRY_MS[Math.min(this.#rounds, RETRY_MS.length) - 1]);
  }

  #mended(key) {
    if (!this.#missing.delete(key) || this.#missing.size) return;
    this.#rounds = 0;
    this.sink.trouble(false);
  }

  async #fetched(url, index, cache, signal) {
    const { samples, chunkSamples } = this.track;
    const length = Math.min(chunkSamples, samples - index * chunkSamples);
    const free = this.#pool.pop() ?? new ArrayBuffer(chunkSamples * BYTES_PER_SAMPLE);
    const decoded = await this.#decoder.decode(url, cache, signal, free);
    if (decoded.length === 2 * length) return new Int16Array(decoded.buffer, 0, decoded.length);
    if (decoded.buffer.byteLength) this.#pool.push(decoded.buffer);
    throw new Error(decoded.error ?? `${decoded.length / 2} samples instead of ${length}`);
  }
}
