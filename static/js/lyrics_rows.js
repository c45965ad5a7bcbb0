/** The rows of the lyrics' editor: what stands in them, and which one is chosen. */
import { timeText } from "./lyrics_lines.js";

export class LyricsRows {
  #items = [];
  #shown = [];
  #chosen = -1;

  /** `row` and `tools` are templates; the one set of tools stands in the row that is chosen. */
  constructor(list, row, tools) {
    this.list = list;
    this.template = row.content.firstElementChild;
    this.tools = tools.content.firstElementChild.cloneNode(true);
  }

  /** Show the lines; only rows that changed are written. */
  paint(lines) {
    const added = document.createDocumentFragment();
    while (this.#items.length > lines.length) {
      this.#items.pop().remove();
      this.#shown.pop();
    }
    lines.forEach((line, at) => {
      if (at === this.#items.length) added.append(this.#add());
      if (this.#shown[at] === line) return;
      this.#shown[at] = line;
      this.#write(this.#items[at], line, at + 1);
    });
    this.list.append(added);
  }

  /** A line whose row shows it already, because it was typed there. */
  note(at, line) {
    this.#shown[at] = line;
  }

  /** Number of the row that holds an element; -1 outside of all rows. */
  indexOf(element) {
    return this.#items.indexOf(element.closest(".editor__line"));
  }

  choose(at) {
    const [before, now] = [this.#items[this.#chosen], this.#items[at]];
    if (before && before !== now) this.#mark(before, false);
    this.#chosen = at;
    if (!now) return;
    this.#mark(now, true);
    if (this.tools.parentElement !== now) now.append(this.tools);
  }

  focus(at) {
    const item = this.#items[at];
    if (!item) return;
    item.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest" });
  }

  focusText(at, caret = null) {
    const field = this.#field(at, "text");
    if (!field) return;
    field.focus();
    if (caret !== null) field.setSelectionRange(caret, caret);
  }

  /** Where the cursor stands, or stood last, in a row's text. */
  caret(at) {
    return this.#field(at, "text")?.selectionStart ?? 0;
  }

  sounding(lines, now) {
    lines.forEach((line, at) => {
      this.#items[at].classList.toggle("is-sounding", now >= line.start_s && now < line.end_s);
    });
  }

  wrong(rows) {
    this.#items.forEach((item, at) => item.classList.toggle("is-wrong", rows.includes(at)));
  }

  #field(at, name) {
    return this.#items[at]?.querySelector(`[data-field=${name}]`);
  }

  #add() {
    const item = this.template.cloneNode(true);
    this.#items.push(item);
    this.#shown.push(null);
    return item;
  }

  #write(item, line, number) {
    item.querySelector(".editor__number").textContent = String(number);
    item.setAttribute("aria-label", `Line ${number}`);
    const values = { start: timeText(line.start_s), end: timeText(line.end_s), text: line.text };
    for (const field of item.querySelectorAll("[data-field]")) {
      const { field: name } = field.dataset;
      if (field.value !== values[name]) field.value = values[name];
      field.removeAttribute("aria-invalid");
      field.setAttribute("aria-label", `${{ start: "Start", end: "End", text: "Text" }[name]} of line ${number}`);
      if (name === "text") field.dir = "auto";
    }
  }

  #mark(item, chosen) {
    item.classList.toggle("is-chosen", chosen);
    item.tabIndex = chosen ? 0 : -1;
    if (chosen) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  }
}
