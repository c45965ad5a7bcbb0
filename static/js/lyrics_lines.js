/** Lines of lyrics as values: every change gives a new line, so that undoing is keeping the old one. */

export const NUDGE_S = 0.05;
const LEAST_S = 0.05;
const rounded = (seconds) => Math.round(seconds * 1000) / 1000;

/** Seconds as m:ss.xx, rounded once: 59.999 is 1:00.00. */
export function timeText(seconds) {
  const hundredths = Math.round(Math.max(0, seconds) * 100);
  const m = Math.floor(hundredths / 6000);
  const s = String(Math.floor(hundredths / 100) % 60).padStart(2, "0");
  return `${m}:${s}.${String(hundredths % 100).padStart(2, "0")}`;
}

/** Seconds of "1:02.5", "62,5" or "0:01:02"; null for what is no time. */
export function parseTime(text) {
  const match = text.trim().match(/^(?:(?:(\d{1,2}):)?(\d{1,4}):)?(\d{1,5})(?:[.,](\d{1,3}))?$/);
  if (!match) return null;
  const [, h = 0, m = 0, s, fraction = "0"] = match;
  return rounded(Number(h) * 3600 + Number(m) * 60 + Number(s) + Number(`0.${fraction}`));
}

/** The words of a line, each with its place in the text; empty where they do not make up the text. */
export function placed(line) {
  const found = [];
  let at = 0;
  for (const word of line.words) {
    const here = word.text ? line.text.indexOf(word.text, at) : -1;
    if (here < 0 || line.text.slice(at, here).trim()) return [];
    found.push({ word, from: here, to: here + word.text.length });
    at = here + word.text.length;
  }
  return line.text.slice(at).trim() ? [] : found;
}

/** The line from `start` to `end`, its words moved and stretched with it. */
export function timed(line, start, end) {
  const [from, to] = [rounded(Math.max(0, start)), rounded(Math.max(0, start, end))];
  const stretch = (to - from) / Math.max(line.end_s - line.start_s, 0.001);
  const at = (seconds) => rounded(from + (seconds - line.start_s) * stretch);
  const words = line.words.map((word) => ({ ...word, start_s: at(word.start_s), end_s: at(word.end_s) }));
  return { ...line, start_s: from, end_s: to, words };
}

/** The line with another start; one at or after its end takes the whole line along. */
export function startingAt(line, start) {
  const from = Math.max(0, start);
  const lasts = line.end_s - line.start_s;
  return timed(line, from, from > line.end_s - LEAST_S ? from + lasts : line.end_s);
}

/** The line with another end, which stays behind its start. */
export function endingAt(line, end, duration) {
  return timed(line, line.start_s, Math.max(line.start_s + LEAST_S, Math.min(end, duration)));
}

/**
 * Two lines out of one, cut at a place in its text; null where one would be empty. They part at the
 * first word of the second, else at `now` if that lies within, else by the length of the texts.
 */
export function split(line, place, now) {
  const [one, two] = [line.text.slice(0, place).trim(), line.text.slice(place).trim()];
  if (!one || !two) return null;
  const words = placed(line);
  const first = words.filter(({ to }) => to <= place).map(({ word }) => word);
  const second = words.filter(({ to }) => to > place).map(({ word }) => word);
  let at = line.start_s + ((line.end_s - line.start_s) * one.length) / (one.length + two.length);
  if (second.length && second[0].start_s > line.start_s) at = second[0].start_s;
  else if (now > line.start_s && now < line.end_s) at = now;
  at = rounded(at);
  return [
    { start_s: line.start_s, end_s: at, text: one, words: first },
    { start_s: at, end_s: line.end_s, text: two, words: second },
  ];
}

/** One line out of two. */
export function merged(one, two) {
  return {
    start_s: Math.min(one.start_s, two.start_s),
    end_s: Math.max(one.end_s, two.end_s),
    text: [one.text.trim(), two.text.trim()].filter(Boolean).join(" "),
    words: [...one.words, ...two.words],
  };
}

/** An empty line after another one (or at `now`), as long as there is room, two seconds at most. */
export function newLine(before, after, now, duration) {
  const start = before ? before.end_s : Math.min(now, Math.max(0, duration - 1));
  const room = after && after.start_s > start + LEAST_S ? after.start_s : start + 2;
  const end = Math.min(start + 2, room, Math.max(duration, start + LEAST_S));
  return { start_s: rounded(start), end_s: rounded(end), text: "", words: [] };
}

/** What was, and what was undone. Holds the states themselves, which nobody changes. */
export class History {
  #past = [];
  #future = [];

  constructor(limit = 300) {
    this.limit = limit;
  }

  keep(state) {
    this.#past.push(state);
    if (this.#past.length > this.limit) this.#past.shift();
    this.#future = [];
  }

  undo(present) {
    if (!this.#past.length) return present;
    this.#future.push(present);
    return this.#past.pop();
  }

  redo(present) {
    if (!this.#future.length) return present;
    this.#past.push(present);
    return this.#future.pop();
  }

  clear() {
    this.#past = [];
    this.#future = [];
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }
}
