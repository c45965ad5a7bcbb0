/** Hearing the advised equaliser on the page's own player: original against equalised, equally loud. */
import { graphOf, preferRate, rampTo } from "./audio_graph.js";
import { filterOf, kWeightingDb, loudnessMatchDb, quietContext, responseDb } from "./equaliser.js";
import { EqualiserCurve } from "./equaliser_curve.js";

const FADE_S = 0.02;
const ratioOf = (db) => 10 ** (db / 20);
const signed = (db, digits = 1) => {
  const text = db.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text.replace("-", "−").replace(/^(?=\d)/, "+");
};

/** Two ways from an element's source to its bus: as it is, and through filters. */
export class Switch {
  /** Must be made in answer to a gesture. */
  constructor(audio, moves) {
    const { context, source, bus, wake } = graphOf(audio);
    Object.assign(this, { context, source, bus, wake });
    this.filters = moves.map((move) => filterOf(context, move, 0));
    this.level = new GainNode(context);
    this.dry = new GainNode(context, { gain: 1 });
    this.wet = new GainNode(context, { gain: 0 });
    source.disconnect();
    source.connect(this.dry).connect(bus);
    [source, ...this.filters, this.level, this.wet, bus].reduce((from, to) => from.connect(to));
  }

  /** `gains` in dB for each filter, the change of level of the equalised way, and of both ways. */
  set({ gains, matchDb, roomDb }) {
    const now = this.context.currentTime;
    this.filters.forEach((filter, i) => filter.gain.setTargetAtTime(gains[i], now, FADE_S));
    this.level.gain.setTargetAtTime(ratioOf(matchDb), now, FADE_S);
    this.room = ratioOf(roomDb);
    this.fade();
  }

  /** Go over to the other way in 20 ms, at the same place of the sound. */
  hear(equalised) {
    this.equalised = equalised;
    this.wake();
    this.fade();
  }

  fade() {
    const now = this.context.currentTime;
    const room = this.room ?? 1;
    for (const [node, on] of [[this.wet, this.equalised], [this.dry, !this.equalised]]) {
      rampTo(node.gain, on ? room : 0, now, FADE_S);
    }
  }

  /** Give the element its plain way back. */
  remove() {
    this.source.disconnect();
    for (const node of [this.dry, ...this.filters, this.level, this.wet]) node.disconnect();
    this.source.connect(this.bus);
  }
}

class Audition {
  constructor(root, sound) {
    this.root = root;
    this.sound = sound;
    const data = JSON.parse(document.getElementById("audition-data").textContent);
    Object.assign(this, { moves: data.moves, spectrum: data.spectrum, truePeak: data.true_peak_dbtp });
    preferRate(sound.audio, data.sample_rate);
    this.quiet = quietContext(data.sample_rate);
    this.filters = this.moves.map((move) => filterOf(this.quiet, move));
    this.weighting = kWeightingDb(this.quiet, this.spectrum.frequencies_hz);
    this.curve = new EqualiserCurve(this.one("curve"), this.filters);
    this.switches = this.all("move");
    this.amount = this.one("amount");
    this.equalised = false;
    for (const part of this.all("needs-script")) part.hidden = false;
    for (const box of this.switches) box.addEventListener("change", () => this.change());
    this.amount.addEventListener("input", () => this.change());
    for (const button of this.all("hear")) {
      button.addEventListener("click", () => this.hear(button.dataset.hear === "equalised"));
    }
    this.one("play-page").addEventListener("click", () => {
      this.engage();
      sound.playOrPause();
    });
    this.one("wav").addEventListener("click", (event) => this.save(event));
    this.paintPlay();
    this.change();
  }

  all(name) {
    return [...this.root.querySelectorAll(`[data-${name}]`)];
  }

  one(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  /** Gain of each move in dB as it is set now. */
  get gains() {
    const share = Number(this.amount.value) / 100;
    return this.moves.map((move, i) => (this.switches[i].checked ? share * move.gain_db : 0));
  }

  engage() {
    if (this.ways) return;
    this.ways = new Switch(this.sound.audio, this.moves);
    this.ways.set(this.setting);
  }

  hear(equalised) {
    this.engage();
    this.equalised = equalised;
    this.ways.hear(equalised);
    for (const button of this.all("hear")) {
      button.setAttribute("aria-pressed", String((button.dataset.hear === "equalised") === equalised));
    }
  }

  /** Something was set: work out the levels, and show and play it so. */
  change() {
    const { gains } = this;
    const share = Number(this.amount.value) / 100;
    this.filters.forEach((filter, i) => {
      filter.gain.value = gains[i];
    });
    const change = responseDb(this.filters, this.spectrum.frequencies_hz);
    const matchDb = loudnessMatchDb(this.spectrum.levels_db, this.weighting, change);
    // Where the equalised peaks could pass full scale, both ways are played softer alike.
    const highest = (this.truePeak ?? 0) + matchDb + Math.max(0, ...change);
    const roomDb = gains.some((gain) => gain) ? -Math.max(0, highest) : 0;
    this.setting = { gains, matchDb, roomDb };
    this.ways?.set(this.setting);
    this.curve.draw();
    this.one("amount-text").textContent = `${this.amount.value} %`;
    this.amount.setAttribute("aria-valuetext", `${this.amount.value} per cent`);
    this.moves.forEach((move, i) => {
      this.all("gain")[i].textContent = `${signed(share * move.gain_db)} dB`;
    });
    this.tell();
    this.link();
  }

  tell() {
    const { gains, matchDb, roomDb } = this.setting;
    const parts = [];
    if (!gains.some((gain) => gain)) parts.push("Nothing is switched on: both sound the same.");
    else if (Math.abs(matchDb) < 0.05) parts.push("Both are equally loud as they are.");
    else parts.push(`Equally loud: the equalised sound is turned ${matchDb < 0 ? "down" : "up"} by ${Math.abs(matchDb).toFixed(1)} dB.`);
    if (roomDb <= -0.05) parts.push(`Both play ${(-roomDb).toFixed(1)} dB softer, so that no peak clips.`);
    this.one("state").textContent = parts.join(" ");
  }

  /** What is saved is what is set. */
  link() {
    const off = this.moves.filter((_, i) => !this.switches[i].checked).map((move) => move.key);
    for (const anchor of this.all("export")) {
      const url = new URL(anchor.href);
      url.searchParams.delete("off");
      url.searchParams.set("amount", this.amount.value);
      if (off.length) url.searchParams.set("off", off.join(","));
      anchor.href = url;
    }
  }

  /** Say beforehand what the render will be, then fetch it. */
  async save(event) {
    event.preventDefault();
    const anchor = event.currentTarget;
    const line = this.one("render");
    if (anchor.getAttribute("aria-disabled") === "true") return;
    const { href } = anchor;
    const plan = new URL(anchor.dataset.plan, href);
    plan.search = new URL(href).search;
    anchor.setAttribute("aria-disabled", "true");
    line.textContent = "Rendering …";
    try {
      const answer = await fetch(plan, { headers: { Accept: "application/json" } });
      const found = await answer.json();
      if (!answer.ok) throw new Error(found.detail);
      const lowered = found.lowered_db <= -0.05;
      line.textContent = lowered
        ? `Saved ${(-found.lowered_db).toFixed(1)} dB softer than the original, so that the true peak stays at −1 dBTP.`
        : "Saved as loud as the original; its true peak stays below −1 dBTP.";
      window.location.assign(href);
    } catch (error) {
      line.textContent = error instanceof TypeError || error instanceof SyntaxError || !error.message
        ? "The sound could not be rendered just now. Try again in a moment."
        : error.message;
    }
    anchor.removeAttribute("aria-disabled");
  }

  paintPlay() {
    const playing = !this.sound.audio.paused;
    const button = this.one("play-page");
    button.setAttribute("aria-pressed", String(playing));
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  leave() {
    this.ways?.remove();
  }
}

let current = null;

/** @param {{audio: HTMLAudioElement, playOrPause: () => void}} sound */
export function startAudition(sound) {
  const begin = () => {
    const root = document.querySelector("[data-audition]");
    if (root === (current?.root ?? null)) return;
    current?.leave();
    current = root ? new Audition(root, sound) : null;
  };
  begin();
  // Another target brings other moves.
  document.body.addEventListener("htmx:afterSettle", begin);
  for (const name of ["play", "pause", "ended"]) sound.audio.addEventListener(name, () => current?.paintPlay());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.key.toLowerCase() !== "b") return;
    const types = event.target.closest?.("input:not([type=checkbox], [type=range], [type=radio]), textarea, select, [contenteditable]");
    if (types || !current) return;
    current.hear(!current.equalised);
  });
}

/** The audition of this page, for those who want to measure it. */
export const audition = () => current;
