/** The page of a track's stems: one player, a lane for each stem, and what is done with the mix. */
import { startKeys } from "./mixer_keys.js";
import { Lane, topOf } from "./mixer_lane.js";
import { freshMix, isHeard, stemGains, tidied } from "./mixer_levels.js";
import { Loop } from "./mixer_loop.js";
import { Meter } from "./mixer_meter.js";
import { Mixes } from "./mixer_mixes.js";
import { MixPlayer } from "./mixer_player.js";
import { Fader } from "./mixer_fader.js";
import { LEVEL, SPEED } from "./mixer_scales.js";
import { Take } from "./mixer_take.js";
import { clock, onlyOne } from "./player.js";

const announce = (text) => document.dispatchEvent(new CustomEvent("announce", { detail: text }));

async function json(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.json();
}

async function open(element) {
  try {
    const manifest = await json(element.dataset.manifest);
    current = new Desk(element, manifest);
  } catch {
    const line = element.querySelector("[data-problem]");
    line.textContent = "The stems could not be opened. Check your connection and reload the page.";
    line.hidden = false;
  }
}

let current = null;
/** The mixer of this page, for those who want to measure it. */
export const desk = () => current;

/** What one click sets: which stems are muted or alone, by the presets' names. */
const PRESETS = {
  everything: {},
  instrumental: { vocals: { mute: true } },
  acappella: { vocals: { solo: true } },
};

const sameMix = (one, other) => JSON.stringify(one) === JSON.stringify(other);

class Desk {
  #painting = false;
  #painted = 0;
  #second = -1;

  constructor(element, manifest) {
    this.root = element;
    this.manifest = manifest;
    const stems = new Map(manifest.stems.map((stem) => [stem.name, stem]));
    this.lanes = this.all("lane").filter(({ dataset }) => stems.has(dataset.lane)).map((one, i) =>
      new Lane(one, (changes) => this.change(i, changes)));
    this.names = this.lanes.map((lane) => lane.name);
    this.player = new MixPlayer({
      urls: this.names.map((name) => stems.get(name).chunks),
      samples: manifest.n_samples,
      chunkSamples: manifest.chunk_samples,
      workletUrl: element.dataset.worklet,
      decoderUrl: element.dataset.decoder,
    });
    this.settings = freshMix(this.names);
    this.loop = new Loop(element, this.lanes.map((lane) => lane.wave), this.player);
    this.#transport();
    this.#presets();
    this.mixes = new Mixes(this, document.getElementById("mixes"));
    new Take(this, document.getElementById("take"));
    this.#draw(stems);
    this.apply(this.settings);
    this.player.prepare();
  }

  one(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  all(name) {
    return [...this.root.querySelectorAll(`[data-${name}]`)];
  }

  /** Set the whole mix. */
  apply(settings) {
    this.settings = tidied(settings, this.names);
    this.#show();
  }

  change(lane, changes) {
    Object.assign(this.settings.stems[this.names[lane]], changes);
    this.#show();
  }

  press(index, key) {
    const lane = this.lanes[index];
    if (!lane) return;
    const is = !this.settings.stems[lane.name][key];
    this.change(index, { [key]: is });
    announce(`${lane.label}: ${key} ${is ? "on" : "off"}`);
  }

  playOrPause() {
    if (this.player.playing) this.player.pause();
    else {
      this.player.play().then(() => this.problem(""), () =>
        this.problem("The sound cannot be played in this browser. Try its newest version, or another one."));
    }
    this.#paintPlay();
  }

  problem(text) {
    const line = this.one("problem");
    line.textContent = text;
    line.hidden = !text;
  }

  #transport() {
    const { player } = this;
    onlyOne(player);
    const [toggle, seek] = [this.one("toggle"), this.one("seek")];
    toggle.disabled = false;
    toggle.addEventListener("click", () => this.playOrPause());
    Object.assign(seek, { min: "0", max: String(player.duration), step: "0.01", disabled: false });
    seek.addEventListener("input", () => player.seek(Number(seek.value)));
    this.speed = new Fader(this.one("speed"), this.one("speed-text"), SPEED, (speed) => { player.speed = speed; });
    this.master = new Fader(this.one("master"), this.one("master-text"), LEVEL, (level) => {
      this.settings.master_db = level;
      this.#show();
    });
    this.masterMeter = new Meter(this.one("master-meter"));
    player.addEventListener("status", () => this.#heard());
    player.addEventListener("trouble", ({ detail }) =>
      this.problem(detail ? "The next seconds cannot be fetched just now. Trying again." : ""));
    startKeys({
      player, loop: this.loop,
      playOrPause: () => this.playOrPause(),
      press: (lane, key) => this.press(lane, key),
    });
    window.addEventListener("pagehide", () => player.pause());
  }

  #presets() {
    for (const button of this.all("preset")) {
      button.disabled = false;
      button.addEventListener("click", () => {
        const { stems } = freshMix(this.names, PRESETS[button.dataset.preset]);
        this.apply({ ...this.settings, stems });
        announce(button.textContent.trim());
      });
    }
  }

  #show() {
    this.player.gains = stemGains(this.settings, this.names, this.manifest.lowered_db);
    for (const lane of this.lanes) lane.show(this.settings.stems[lane.name], isHeard(this.settings, lane.name));
    if (this.master.value !== this.settings.master_db) this.master.value = this.settings.master_db;
    for (const button of this.all("preset")) {
      const { stems } = freshMix(this.names, PRESETS[button.dataset.preset]);
      button.setAttribute("aria-pressed", String(sameMix(stems, this.settings.stems)));
    }
    this.mixes.show();
  }

  async #draw(stems) {
    const urls = this.names.map((name) => stems.get(name).waveform_url);
    const peaks = await Promise.all(urls.map((url) => json(url).catch(() => null)));
    const loudest = Math.max(...peaks.map((one) => (one ? topOf(one) : 0))) || 1;
    this.lanes.forEach((lane, i) => peaks[i] && lane.draw(peaks[i], loudest));
    if (peaks.includes(null)) this.problem("A waveform could not be loaded. Reload the page to try again.");
  }

  #heard() {
    const { peaks } = this.player.status;
    const now = performance.now();
    const seconds = Math.min(0.2, (now - this.#painted) / 1000);
    this.#painted = now;
    this.lanes.forEach((lane, i) => lane.meter.show(peaks[i] ?? [0, 0], seconds));
    this.masterMeter.show(peaks[this.lanes.length] ?? [0, 0], seconds);
    this.#paintPlay();
    if (!this.#painting) {
      this.#painting = true;
      requestAnimationFrame(() => this.#paint());
    }
  }

  #paintPlay() {
    const { playing, waiting } = this.player;
    const toggle = this.one("toggle");
    toggle.setAttribute("aria-pressed", String(playing));
    toggle.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.root.classList.toggle("is-waiting", waiting);
  }

  #paint() {
    const at = this.player.position;
    const { duration } = this.player;
    const share = duration ? at / duration : 0;
    for (const lane of this.lanes) lane.moveTo(share);
    const seek = this.one("seek");
    if (!seek.matches(":active") && Math.abs(Number(seek.value) - at) > duration / 1500) seek.value = String(at);
    if (Math.floor(at) !== this.#second) {
      this.#second = Math.floor(at);
      this.one("now").textContent = clock(at);
      seek.setAttribute("aria-valuetext", `${clock(at)} of ${clock(duration)}`);
    }
    this.#painting = this.player.playing;
    if (this.#painting) requestAnimationFrame(() => this.#paint());
  }
}

const root = document.getElementById("mixer");
if (root) open(root);
