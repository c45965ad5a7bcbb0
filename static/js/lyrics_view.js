/** Words that follow the song: the line and the word that is sung stand out, and the list scrolls along. */
import { placed } from "./lyrics_lines.js";

/** A rest at least this long is shown as three dots that fill. */
const REST_S = 6;
const FROM_TOP = 0.4;
/** From here on only what is near is laid out. */
const MANY_LINES = 300;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** How many of the sorted numbers are not above `limit`. */
function countUpTo(numbers, limit) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class LyricsView {
  #parts = [];
  #words = [];
  #current = new Set();
  #goal = null;
  #edges = [];
  #stretch = -1;

  /** `jump(seconds)` is called when a word is pressed. */
  constructor(root, { unsureBelow, jump }) {
    const part = (name) => root.querySelector(`[data-${name}]`);
    [this.view, this.panel, this.list, this.followButton] = ["view", "panel", "lines", "follow"].map(part);
    this.unsureBelow = unsureBelow;
    this.jump = jump;
    this.following = true;
    this.view.classList.add("is-live");
    this.list.addEventListener("click", (event) => {
      const word = event.target.closest(".lyrics__word");
      if (word) this.jump(Number(word.dataset.at));
    });
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.followButton.addEventListener("click", () => this.follow(true));
    // Only what a person does by hand; scrolling along makes `scroll` events too.
    for (const name of ["wheel", "touchmove"]) {
      this.panel.addEventListener(name, () => this.follow(false), { passive: true });
    }
    this.panel.addEventListener("pointerdown", (event) => event.target === this.panel && this.follow(false));
  }

  render(lines) {
    this.lines = lines;
    this.#parts = [];
    this.#words = [];
    this.#current.clear();
    this.#goal = null;
    this.#stretch = -1;
    this.list.classList.toggle("is-long", lines.length > MANY_LINES);
    const items = [];
    let reached = 0;
    for (const line of lines) {
      if (line.start_s - reached >= REST_S) items.push(this.#rest(reached, line.start_s));
      items.push(this.#line(line));
      reached = Math.max(reached, line.end_s);
    }
    this.list.replaceChildren(...items);
    const edges = this.#parts.flatMap(({ from, until }) => [from, until]);
    this.#edges = [...new Set(edges)].sort((a, b) => a - b);
    const first = this.#words[0];
    if (first) first.element.tabIndex = 0;
  }

  /** Show the place in the song; called for every picture. */
  show(now) {
    const stretch = countUpTo(this.#edges, now);
    if (stretch !== this.#stretch) {
      this.#stretch = stretch;
      this.#enter(now);
    }
    for (const part of this.#current) part.paint(now);
  }

  /** Between two edges nothing but the words of the current lines changes; here it is crossed. */
  #enter(now) {
    let goal = null;
    let upcoming = null;
    for (const part of this.#parts) {
      const active = now >= part.from && now < part.until;
      if (active !== this.#current.has(part)) this.#turn(part, active);
      if (active) goal ??= part;
      else if (part.from > now) upcoming ??= part;
      part.element.classList.toggle("is-past", part.until <= now);
    }
    goal ??= upcoming ?? this.#parts.at(-1) ?? null;
    if (goal !== this.#goal) {
      this.#goal = goal;
      this.#scroll();
    }
  }

  follow(wanted) {
    if (wanted === this.following) return;
    this.following = wanted;
    this.followButton.hidden = wanted;
    if (wanted) this.#scroll();
  }

  #turn(part, active) {
    part.element.classList.toggle("is-current", active);
    if (active) this.#current.add(part);
    else this.#current.delete(part);
    if (!active) part.clear();
  }

  #scroll() {
    if (!this.following || !this.#goal) return;
    const { element } = this.#goal;
    const top = element.offsetTop + element.offsetHeight / 2 - FROM_TOP * this.panel.clientHeight;
    this.panel.scrollTo({ top, behavior: calm.matches ? "auto" : "smooth" });
  }

  #line(line) {
    const element = document.createElement("li");
    element.className = "lyrics__line";
    element.dir = "auto";
    const words = [];
    let at = 0;
    for (const { word, from, to } of placed(line)) {
      element.append(line.text.slice(at, from));
      words.push(this.#word(word, this.#parts.length));
      element.append(words.at(-1).element);
      at = to;
    }
    if (!words.length) {
      words.push(this.#word({ ...line, confidence: null }, this.#parts.length));
      element.append(words[0].element);
    }
    this.#words.push(...words);
    this.#parts.push({
      element,
      from: line.start_s,
      until: line.end_s,
      paint: (now) => {
        for (const word of words) {
          const sung = now >= word.end;
          const isNow = now >= word.start && !sung;
          word.element.classList.toggle("is-sung", sung);
          word.element.classList.toggle("is-now", isNow);
          if (isNow) word.element.style.setProperty("--sung", ((now - word.start) / (word.end - word.start)).toFixed(3));
        }
      },
      clear: () => {
        for (const word of words) word.element.classList.remove("is-sung", "is-now");
      },
    });
    return element;
  }

  #word(word, line) {
    const element = document.createElement("button");
    element.type = "button";
    element.className = "lyrics__word";
    element.tabIndex = -1;
    element.textContent = word.text;
    element.dataset.at = String(word.start_s);
    if (word.confidence !== null && word.confidence !== undefined) {
      element.title = `${Math.round(100 * word.confidence)} % sure`;
      if (word.confidence < this.unsureBelow) {
        element.classList.add("is-unsure");
        element.setAttribute("aria-description", `unsure, ${element.title}`);
      }
    }
    return { element, start: word.start_s, end: word.end_s, line };
  }

  #rest(from, until) {
    const element = document.createElement("li");
    element.className = "lyrics__rest";
    element.setAttribute("aria-hidden", "true");
    const dots = Array.from({ length: 3 }, () => document.createElement("span"));
    element.append(...dots);
    this.#parts.push({
      element,
      from,
      until,
      paint: (now) =>
        dots.forEach((dot, i) => dot.classList.toggle("is-sung", now >= from + ((i + 1) * (until - from)) / 4)),
      clear: () => dots.forEach((dot) => dot.classList.remove("is-sung")),
    });
    return element;
  }

  /** One tab stop for all words; the arrow keys go from word to word and from line to line. */
  #key(event) {
    const at = this.#words.findIndex(({ element }) => element === event.target);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const { line } = this.#words[at];
    const lineStart = (number) => this.#words.findIndex((word) => word.line === number);
    const linesOfWords = [...new Set(this.#words.map((word) => word.line))];
    const place = linesOfWords.indexOf(line);
    const moves = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: lineStart(linesOfWords[place + 1]),
      ArrowUp: lineStart(linesOfWords[place - 1]),
      Home: 0,
      End: this.#words.length - 1,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    const next = this.#words[moves[event.key]];
    if (!next) return;
    this.follow(false);
    event.target.tabIndex = -1;
    next.element.tabIndex = 0;
    next.element.focus({ preventScroll: true });
    next.element.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
  }
}
