/** Saved mixes: kept under a name, heard again, renamed, set anew, deleted. */
import { tidied } from "./mixer_levels.js";

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const announce = (text) => document.dispatchEvent(new CustomEvent("announce", { detail: text }));

/** Send JSON as the page's own user. Rejects with a sentence for the artist. */
async function send(method, url, body) {
  const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("The site cannot be reached just now. Try again in a moment.");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const found = await answer.json().catch(() => ({}));
  throw new Error(found.detail ?? "That did not work. Reload the page and try again.");
}

export class Mixes {
  #rows = new Map();
  #loaded = null;

  /** @param {{manifest: object, names: string[], settings: object, apply: (settings: object) => void}} desk */
  constructor(desk, root) {
    this.desk = desk;
    this.root = root;
    this.mixes = desk.manifest.mixes;
    const { elements } = this.one("form");
    for (const element of elements) element.disabled = false;
    this.one("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(elements.name);
    });
    for (const mix of this.mixes) this.#add(mix);
    this.#count();
  }

  one(name) {
    return this.root.querySelector(`[data-mix-${name}]`);
  }

  /** The saved mix that is heard as it was saved, if there is one. */
  get heard() {
    const alike = this.mixes.filter((mix) => same(this.#settingsOf(mix), this.desk.settings));
    return alike.find((mix) => mix.id === this.#loaded) ?? alike[0] ?? null;
  }

  /** Mark what is heard, and offer to keep changes to the mix that was loaded. */
  show() {
    const { heard } = this;
    if (heard) this.#loaded = heard.id;
    for (const mix of this.mixes) {
      const row = this.#rows.get(mix.id);
      row.load.setAttribute("aria-pressed", String(mix === heard));
      row.update.hidden = heard !== null || this.#loaded !== mix.id;
    }
  }

  #settingsOf(mix) {
    return tidied(mix.settings, this.desk.names);
  }

  #add(mix) {
    const row = this.one("row").content.firstElementChild.cloneNode(true);
    const part = (name) => row.querySelector(`[data-mix-${name}]`);
    const [load, name, update, rename, remove] = ["load", "name", "update", "rename", "delete"].map(part);
    load.addEventListener("click", () => {
      this.#loaded = mix.id;
      this.desk.apply(this.#settingsOf(mix));
      announce(`Mix ${mix.name}`);
    });
    update.addEventListener("click", () => this.#change(mix, {
      // Stems of another engine that the mix also knows stay as they were.
      settings: { ...this.desk.settings, stems: { ...mix.settings.stems, ...this.desk.settings.stems } },
    }));
    rename.addEventListener("click", () => this.#askName(mix, rename));
    remove.addEventListener("click", () => this.#askDelete(mix));
    this.#rows.set(mix.id, { row, load, name, update, rename, remove });
    this.root.querySelector("[data-mixes]").append(row);
    this.#name(mix);
  }

  #name(mix) {
    const { name, rename, remove, update } = this.#rows.get(mix.id);
    name.textContent = mix.name;
    rename.setAttribute("aria-label", `Rename ${mix.name}`);
    remove.setAttribute("aria-label", `Delete ${mix.name}`);
    update.setAttribute("aria-label", `Save changes to ${mix.name}`);
  }

  #count() {
    this.root.querySelector("[data-mixes-empty]").hidden = this.mixes.length > 0;
  }

  #say(text, isProblem = false) {
    const line = this.one("message");
    line.textContent = text;
    line.hidden = !text;
    line.classList.toggle("field__error", isProblem);
  }

  async #save(field) {
    try {
      const mix = await send("POST", this.desk.manifest.mix_save_url, {
        name: field.value, settings: this.desk.settings,
      });
      this.mixes.push(mix);
      this.#add(mix);
      this.#count();
      this.#loaded = mix.id;
      this.show();
      this.#say(`“${mix.name}” is saved.`);
      field.value = "";
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  async #change(mix, changes) {
    try {
      Object.assign(mix, await send("POST", mix.url, changes));
      this.#name(mix);
      this.show();
      this.#say(`“${mix.name}” is saved.`);
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  #askName(mix, opener) {
    const dialog = this.one("dialog");
    const field = dialog.querySelector("input");
    field.value = mix.name;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "rename" && field.value.trim() !== mix.name) {
        this.#change(mix, { name: field.value });
      }
      opener.focus();
    }, { once: true });
    dialog.showModal();
    field.select();
  }

  #askDelete(mix) {
    const dialog = this.one("delete-dialog");
    this.one("delete-name").textContent = mix.name;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "delete") this.#delete(mix);
    }, { once: true });
    dialog.showModal();
  }

  async #delete(mix) {
    try {
      await send("DELETE", mix.url);
    } catch (error) {
      this.#say(error.message, true);
      return;
    }
    this.mixes.splice(this.mixes.indexOf(mix), 1);
    this.#rows.get(mix.id).row.remove();
    this.#rows.delete(mix.id);
    if (this.#loaded === mix.id) this.#loaded = null;
    this.#count();
    this.show();
    this.#say(`“${mix.name}” is deleted.`);
    this.one("form").elements.name.focus();
  }
}
