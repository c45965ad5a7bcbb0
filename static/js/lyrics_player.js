/** The lyrics page's sound: the song or its voice alone, on one clock. */
import { clock, onlyOne } from "./player.js";

const READY_WITHIN_MS = 8000;

const happened = (element, name) =>
  new Promise((done) => {
    const timer = setTimeout(done, READY_WITHIN_MS);
    element.addEventListener(name, () => (clearTimeout(timer), done()), { once: true });
  });

export class LyricsPlayer {
  #ticket = 0;
  #watchers = [];
  #playWatchers = [];
  #stopAt = null;

  constructor(root, duration) {
    const part = (name) => root.querySelector(`[data-${name}]`);
    this.sounds = Object.fromEntries([...root.querySelectorAll("[data-audio]")].map((audio) => [audio.dataset.audio, audio]));
    this.active = this.sounds.mix;
    this.length = duration;
    [this.toggleButton, this.time, this.nowText, this.seekbar, this.source, this.problem] = [
      "toggle", "time", "now", "seek", "source", "problem",
    ].map(part);
    for (const shown of [this.toggleButton, this.time, this.seekbar, this.source]) if (shown) shown.hidden = false;
    for (const audio of Object.values(this.sounds)) this.#listenTo(audio);
    this.toggleButton.addEventListener("click", () => this.toggle());
    this.seekbar.addEventListener("input", () => this.seek(Number(this.seekbar.value)));
    this.source?.addEventListener("change", (event) => this.hear(event.target.value));
  }

  get now() {
    return this.active.currentTime;
  }

  get duration() {
    const { duration } = this.active;
    return duration > 0 && duration < Infinity ? duration : this.length;
  }

  get playing() {
    return !this.active.paused;
  }

  /** `watch(seconds)` is called for every picture while it plays, and whenever the place changes. */
  onMove(watch) {
    this.#watchers.push(watch);
  }

  /** `watch(playing)` is called when it starts and stops. */
  onPlay(watch) {
    this.#playWatchers.push(watch);
  }

  play() {
    return this.active.play().then(
      () => this.say(""),
      (reason) => {
        if (reason.name !== "AbortError") this.say("The sound cannot be played. Check your connection and try again.");
      },
    );
  }

  toggle() {
    this.#stopAt = null;
    if (this.playing) this.active.pause();
    else this.play();
  }

  seek(seconds) {
    this.#stopAt = null;
    this.active.currentTime = Math.min(Math.max(0, seconds), Math.max(0, this.duration - 0.05));
    this.#moved();
  }

  /** From one place to another, and then stop. */
  playPart(from, to) {
    this.seek(from);
    this.#stopAt = to;
    this.play();
  }

  /** Go over to another sound ("mix", "voice") at the same place. */
  async hear(name) {
    const next = this.sounds[name];
    if (!next || next === this.active) return;
    const ticket = ++this.#ticket;
    next.currentTime = this.now;
    if (next.readyState < 3) {
      next.preload = "auto";
      if (next.readyState === 0) next.load();
      await happened(next, "canplay");
    }
    if (ticket !== this.#ticket) return;
    const before = this.active;
    const { playing } = this;
    next.currentTime = before.currentTime;
    this.active = next;
    if (playing) await this.play();
    before.pause();
    this.#moved();
  }

  say(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
  }

  #listenTo(audio) {
    onlyOne(audio);
    audio.controls = false;
    audio.hidden = true;
    for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, () => this.#changed(audio));
    for (const name of ["timeupdate", "seeked", "loadedmetadata"]) {
      audio.addEventListener(name, () => audio === this.active && this.#moved());
    }
    audio.addEventListener("error", () => {
      if (audio === this.sounds.voice) this.say("The voice alone cannot be played. Choose the song.");
    });
  }

  #changed(audio) {
    if (audio !== this.active) return;
    this.toggleButton.setAttribute("aria-pressed", String(this.playing));
    this.toggleButton.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    for (const watch of this.#playWatchers) watch(this.playing);
    if (this.playing) this.#follow(audio);
  }

  #follow(audio) {
    if (audio !== this.active || audio.paused) return;
    this.#moved();
    requestAnimationFrame(() => this.#follow(audio));
  }

  #moved() {
    const { now } = this;
    if (this.#stopAt !== null && now >= this.#stopAt) {
      this.#stopAt = null;
      this.active.pause();
    }
    if (!this.seekbar.matches(":active")) this.seekbar.value = String(now);
    const text = clock(now);
    if (this.nowText.textContent !== text) {
      this.nowText.textContent = text;
      this.seekbar.setAttribute("aria-valuetext", `${text} of ${clock(this.duration)}`);
    }
    for (const watch of this.#watchers) watch(now);
  }
}
