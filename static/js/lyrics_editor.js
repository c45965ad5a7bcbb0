/** Editing lyrics: a list of lines with their times, one of them chosen, everything undoable. */
import {
  History, NUDGE_S, endingAt, merged, newLine, parseTime, split, startingAt, timeText,
} from "./lyrics_lines.js";
import { LyricsRows } from "./lyrics_rows.js";

const isField = (element) => element.matches("[data-field]");

export class LyricsEditor {
  #history = new History();
  #typing = false;

  /**
   * `player` is the page's sound; `save(lines)` keeps the lines and gives them back as they were
   * kept, or rejects with {message, errors}; `closed()` is called when editing is over.
   */
  constructor(root, { player, duration, save, closed }) {
    this.root = root;
    Object.assign(this, { player, duration, save, closed });
    const part = (name) => root.querySelector(`[data-${name}]`);
    [this.state, this.errors] = ["state", "errors"].map(part);
    this.buttons = Object.fromEntries(
      [...root.querySelectorAll(".editor__bar [data-do]")].map((button) => [button.dataset.do, button]),
    );
    this.rows = new LyricsRows(
      part("rows"),
      ...["row", "tools"].map((name) => document.querySelector(`template[data-${name}]`)),
    );
    this.lines = this.saved = [];
    this.chosen = 0;
    root.addEventListener("click", (event) => this.#click(event));
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("input", (event) => this.#typed(event.target));
    root.addEventListener("change", (event) => this.#entered(event.target));
    root.addEventListener("focusin", (event) => this.#focused(event.target));
    player.onMove((now) => this.#show(now));
    player.onPlay((playing) => {
      this.buttons.play.textContent = playing ? "Pause" : "Play";
      this.buttons.play.setAttribute("aria-pressed", String(playing));
    });
  }

  get open() {
    return !this.root.hidden;
  }

  get dirty() {
    return this.lines !== this.saved;
  }

  load(lines) {
    this.lines = this.saved = lines;
    this.#history.clear();
    this.chosen = Math.min(this.chosen, Math.max(0, lines.length - 1));
  }

  start() {
    this.root.hidden = false;
    const now = this.player.now;
    const here = this.lines.findIndex((line) => line.end_s > now);
    this.chosen = Math.max(0, here);
    this.#tell([]);
    this.#paint();
    this.rows.focus(this.chosen);
  }

  close() {
    if (this.dirty && !window.confirm("Leave without saving what you changed?")) return;
    this.load(this.saved);
    this.root.hidden = true;
    this.closed();
  }

  // --- Changes --------------------------------------------------------------------------------

  #change(lines, chosen = this.chosen) {
    if (lines === this.lines) return;
    this.#history.keep(this.lines);
    this.lines = lines;
    this.chosen = Math.max(0, Math.min(chosen, lines.length - 1));
    this.#paint();
  }

  #replace(at, count, ...lines) {
    return [...this.lines.slice(0, at), ...lines, ...this.lines.slice(at + count)];
  }

  #set(line) {
    this.#change(this.#replace(this.chosen, 1, line));
  }

  get #line() {
    return this.lines[this.chosen];
  }

  actions = {
    save: () => this.#save(),
    close: () => this.close(),
    undo: () => this.#travel(this.#history.undo(this.lines)),
    redo: () => this.#travel(this.#history.redo(this.lines)),
    add: () => this.#insert(),
    insert: () => this.#insert(),
    hear: () => this.#line && this.player.playPart(this.#line.start_s, this.#line.end_s),
    play: () => this.player.toggle(),
    tap: () => this.#tap(),
    "start-now": () => this.#line && this.#set(startingAt(this.#line, this.player.now)),
    "end-now": () => this.#line && this.#set(endingAt(this.#line, this.player.now, this.duration)),
    "start-less": () => this.#line && this.#set(startingAt(this.#line, this.#line.start_s - NUDGE_S)),
    "start-more": () => this.#line && this.#set(startingAt(this.#line, this.#line.start_s + NUDGE_S)),
    "end-less": () => this.#line && this.#set(endingAt(this.#line, this.#line.end_s - NUDGE_S, this.duration)),
    "end-more": () => this.#line && this.#set(endingAt(this.#line, this.#line.end_s + NUDGE_S, this.duration)),
    split: () => this.#split(this.rows.caret(this.chosen)),
    merge: () => this.#merge(this.chosen),
    delete: () => {
      if (!this.#line) return;
      this.#change(this.#replace(this.chosen, 1));
      this.rows.focus(this.chosen);
    },
  };

  #travel(lines) {
    this.lines = lines;
    this.chosen = Math.max(0, Math.min(this.chosen, lines.length - 1));
    this.#paint();
    this.rows.focus(this.chosen);
  }

  #insert() {
    const at = this.lines.length ? this.chosen + 1 : 0;
    const line = newLine(this.lines[at - 1], this.lines[at], this.player.now, this.duration);
    this.#change(this.#replace(at, 0, line), at);
    this.rows.focusText(at);
  }

  /** The chosen line starts now, the one before it has ended by then, and the next one is chosen. */
  #tap() {
    if (!this.#line) return;
    const { now } = this.player;
    const before = this.lines[this.chosen - 1];
    const lines = this.#replace(this.chosen, 1, startingAt(this.#line, now));
    if (before && before.start_s < now && before.end_s > now) {
      lines[this.chosen - 1] = endingAt(before, now, this.duration);
    }
    this.#change(lines, this.chosen + 1);
    this.rows.focus(this.chosen);
  }

  #split(place) {
    const line = this.#line;
    if (!line) return;
    const parts = split(line, place, this.player.now);
    if (!parts) {
      this.#say("Put the cursor into the text, where the line is to be cut.");
      this.rows.focusText(this.chosen);
      return;
    }
    const at = this.chosen;
    this.#typing = false;
    this.#change(this.#replace(at, 1, ...parts), at + 1);
    this.rows.focusText(at + 1, 0);
  }

  #merge(at) {
    const [one, two] = [this.lines[at], this.lines[at + 1]];
    if (!one || !two) return;
    this.#typing = false;
    this.#change(this.#replace(at, 2, merged(one, two)), at);
    this.rows.focus(at);
  }

  async #save() {
    document.activeElement?.blur?.();
    const sent = this.lines;
    this.buttons.save.disabled = true;
    this.#say("Saving");
    try {
      const kept = await this.save(sent);
      this.#tell([]);
      if (this.lines === sent) this.load(kept);
      this.#paint();
      this.#say("Saved");
    } catch (problem) {
      this.#tell(problem.errors?.length ? problem.errors : [{ line: null, message: problem.message }]);
      this.#say("Not saved");
    } finally {
      this.buttons.save.disabled = false;
      if (this.open && document.activeElement === document.body) this.rows.focus(this.chosen);
    }
  }

  // --- What is done by hand -------------------------------------------------------------------

  #click(event) {
    const error = event.target.closest("[data-line]");
    if (error) {
      this.#choose(Number(error.dataset.line));
      return;
    }
    const row = this.rows.indexOf(event.target);
    if (row >= 0) this.#choose(row, false);
    const button = event.target.closest("[data-do]");
    if (button) this.actions[button.dataset.do]?.();
    else if (row >= 0 && !isField(event.target)) this.rows.focus(row);
  }

  #choose(at, focus = true) {
    if (at < 0 || at >= this.lines.length) return;
    this.chosen = at;
    this.rows.choose(at);
    if (focus) this.rows.focus(at);
  }

  #focused(target) {
    const row = this.rows.indexOf(target);
    if (row >= 0 && row !== this.chosen) this.#choose(row, false);
    this.#typing = target.matches("[data-field=text]");
  }

  /** A text changes with each letter, and is one step to undo. */
  #typed(target) {
    if (!target.matches("[data-field=text]")) return;
    const at = this.rows.indexOf(target);
    if (this.#typing) {
      this.#history.keep(this.lines);
      this.#typing = false;
    }
    if (/[\r\n]/.test(target.value)) target.value = target.value.replace(/\s*[\r\n]+\s*/g, " ");
    this.lines = this.#replace(at, 1, { ...this.lines[at], text: target.value });
    this.rows.note(at, this.lines[at]);
    this.#paintBar();
  }

  /** A time that was typed. */
  #entered(target) {
    const { field } = target.dataset;
    if (field !== "start" && field !== "end") return;
    const at = this.rows.indexOf(target);
    const line = this.lines[at];
    const seconds = parseTime(target.value);
    const wrong = seconds === null || seconds > this.duration + 1;
    target.setAttribute("aria-invalid", String(wrong));
    if (wrong) {
      this.#say("Write a time as 1:23.45, within the song.");
      return;
    }
    if (target.value === timeText(field === "start" ? line.start_s : line.end_s)) return;
    this.chosen = at;
    this.#set(field === "start" ? startingAt(line, seconds) : endingAt(line, seconds, this.duration));
  }

  #key(event) {
    const { key, target } = event;
    if ((event.ctrlKey || event.metaKey) && !event.altKey) {
      const typing = isField(target);
      const name = { s: "save", z: typing ? "" : event.shiftKey ? "redo" : "undo", y: typing ? "" : "redo" }[key.toLowerCase()];
      if (!name) return;
      event.preventDefault();
      this.actions[name]();
      return;
    }
    if (event.altKey || event.isComposing) return;
    if (isField(target) ? this.#keyInField(event) : this.#keyOnRow(event)) event.preventDefault();
  }

  #keyInField({ key, target }) {
    const at = this.rows.indexOf(target);
    const inText = target.dataset.field === "text";
    const [caret, end] = [target.selectionStart, target.selectionEnd];
    if (key === "Escape") this.rows.focus(at);
    else if (key === "Enter" && inText && caret > 0 && caret < target.value.length) this.#split(caret);
    else if (key === "Enter") this.rows.focus(at);
    else if (key === "Backspace" && inText && caret === 0 && end === 0 && at > 0) this.#merge(at - 1);
    else return false;
    return true;
  }

  #keyOnRow({ key, target }) {
    const onButton = Boolean(target.closest("button, summary, a"));
    const names = {
      t: "tap", e: "end-now", ",": "start-less", ".": "start-more", "<": "end-less", ">": "end-more",
      p: "hear", m: "merge", n: "insert", Delete: "delete", Escape: "close",
    };
    const name = names[key.length === 1 ? key.toLowerCase() : key];
    if (key === "ArrowDown") this.#choose(this.chosen + 1);
    else if (key === "ArrowUp") this.#choose(this.chosen - 1);
    else if (key === " " && !onButton) this.player.toggle();
    else if (key === "Enter" && !onButton) this.rows.focusText(this.chosen);
    else if (name) this.actions[name]();
    else return false;
    return true;
  }

  // --- What is seen ---------------------------------------------------------------------------

  #paint() {
    this.rows.paint(this.lines);
    this.rows.choose(this.chosen);
    this.#paintBar();
    if (this.open) this.#show(this.player.now);
  }

  #paintBar() {
    this.buttons.undo.disabled = !this.#history.canUndo;
    this.buttons.redo.disabled = !this.#history.canRedo;
    this.#say(this.dirty ? "Not saved yet" : "");
  }

  #show(now) {
    if (this.open) this.rows.sounding(this.lines, now);
  }

  #say(text) {
    this.state.textContent = text;
  }

  #tell(errors) {
    const items = errors.map(({ line, message }) => {
      const item = document.createElement("li");
      if (line) {
        const button = document.createElement("button");
        Object.assign(button, { type: "button", className: "link-button", textContent: `Line ${line}` });
        button.dataset.line = String(line - 1);
        item.append(button, ": ");
      }
      item.append(message);
      return item;
    });
    this.errors.querySelector("ul").replaceChildren(...items);
    this.errors.hidden = !items.length;
    this.rows.wrong(errors.map(({ line }) => (line ? line - 1 : -1)));
    if (items.length) this.errors.scrollIntoView({ block: "nearest" });
  }
}
