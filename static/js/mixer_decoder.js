/** Fetches and decodes pieces on a thread of its own: neither the page nor the sound waits for it. */
import { FlacDecoder } from "./mixer_flac.js";

const READ_BYTES = 256 * 1024;

const decoder = new FlacDecoder();
const aborts = new Map();
/** One file after the other goes through the decoder. */
let line = Promise.resolve();

onmessage = ({ data }) => {
  if (data.type === "abort") {
    aborts.get(data.ticket)?.abort();
    return;
  }
  const abort = new AbortController();
  aborts.set(data.ticket, abort);
  const answer = fetch(data.url, { signal: abort.signal, cache: data.cache });
  // Answers are awaited side by side, their bodies read in turn.
  answer.catch(() => {});
  line = line.then(() => decoded(answer, data));
};

async function decoded(waiting, { ticket, buffer }) {
  try {
    const answer = await waiting;
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    await take(answer.body);
    const { length } = decoder.decode(buffer);
    postMessage({ ticket, length, buffer }, [buffer]);
  } catch (reason) {
    postMessage({ ticket, length: 0, buffer, error: String(reason) }, [buffer]);
  }
  aborts.delete(ticket);
}

/** Read into the same memory again and again: whole files would wait long for the collector. */
let space = new ArrayBuffer(READ_BYTES);

async function take(body) {
  decoder.begin();
  let reader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    await takePlainly(body);
    return;
  }
  for (;;) {
    // A read that failed took the memory with it.
    if (space.byteLength === 0) space = new ArrayBuffer(READ_BYTES);
    const { done, value } = await reader.read(new Uint8Array(space));
    if (value) {
      decoder.add(value);
      space = value.buffer;
    }
    if (done) return;
  }
}

/** For browsers that bring their own memory. */
async function takePlainly(body) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    decoder.add(value);
  }
}
