/** The tags of the page: what is answered about each, by press, by key, by screen reader. */

/** Pressing the key again goes on along these. */
const AFTER_KEY = { "": "yes", no: "yes", yes: "unsure", unsure: "" };
const AFTER_SHIFT = { "": "no", yes: "no", unsure: "no", no: "" };
export const WORDS = { "": "open", yes: "yes", no: "no", unsure: "can’t tell" };

export class Tags {
  /** @param {HTMLElement} root @param {(text: string) => void} say */
  constructor(root, say) {
    this.say = say;
    this.rows = [...root.querySelectorAll("[data-tag]")].map((row) => ({
      row,
      slug: row.dataset.tag,
      name: row.dataset.name,
      key: row.dataset.key,
      inputs: [...row.querySelectorAll("input")],
    }));
    root.addEventListener("change", ({ target }) => {
      if (target.type === "radio") this.draw();
    });
  }

  answerOf({ inputs }) {
    return inputs.find((input) => input.checked)?.value ?? "";
  }

  /** @returns {Record<string, string>} answers by slug; open tags are left out */
  get votes() {
    const answered = this.rows.map((row) => [row.slug, this.answerOf(row)]);
    return Object.fromEntries(answered.filter(([, answer]) => answer));
  }

  set votes(votes) {
    for (const { slug, inputs } of this.rows) {
      for (const input of inputs) input.checked = input.value === votes[slug];
    }
    this.draw();
  }

  /** By what the key says, or, under another alphabet, by its place. @returns {boolean} */
  press(event) {
    const letter = /^(?:Key|Digit|Numpad)([A-Z0-9])$/.exec(event.code)?.[1]?.toLowerCase();
    const said = event.key.toLowerCase();
    const found =
      this.rows.find(({ key }) => key && key === said) ??
      (/^[a-z]$/.test(said) ? undefined : this.rows.find(({ key }) => key && key === letter));
    if (!found) return false;
    const after = event.shiftKey ? AFTER_SHIFT : AFTER_KEY;
    this.set(found, after[this.answerOf(found)]);
    this.say(`${found.name}: ${WORDS[this.answerOf(found)]}`);
    return true;
  }

  /** No to all that is open. @returns {number} how many were */
  closeRest() {
    const open = this.rows.filter((row) => !this.answerOf(row));
    for (const row of open) this.set(row, "no");
    return open.length;
  }

  set(found, answer) {
    for (const input of found.inputs) input.checked = input.value === answer;
    this.draw();
  }

  draw() {
    for (const row of this.rows) row.row.dataset.answer = this.answerOf(row);
  }

  /** Move the focus to the tag above (-1) or below (1). */
  move(by) {
    const at = this.rows.findIndex(({ row }) => row.contains(document.activeElement));
    const next = at < 0 ? (by > 0 ? 0 : this.rows.length - 1) : at + by;
    const { inputs } = this.rows[(next + this.rows.length) % this.rows.length];
    (inputs.find((input) => input.checked) ?? inputs[0]).focus();
  }

  /** Slug of the tag that has the focus, if one has. */
  get focused() {
    return this.rows.find(({ row }) => row.contains(document.activeElement))?.slug;
  }

  /** @returns {string} answers in words */
  told(votes) {
    return this.rows
      .filter(({ slug }) => votes[slug])
      .map(({ slug, name }) => `${name} ${WORDS[votes[slug]]}`)
      .join(", ");
  }
}
