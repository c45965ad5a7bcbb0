/** Clips that are fetched before they are needed: locked by the server, decoded, drawn. */
import { csrfToken } from "./csrf.js";
import { newId } from "./labelling_desk.js";
import { bytes, Later, post } from "./labelling_requests.js";

const AHEAD = 2;
const MOST_HELD = 50;
const AGAIN_MS = 50;
const NOTHING_WAIT_MS = 20_000;
const TROUBLE_WAIT_MS = 3_000;

/**
 * @typedef {{id: string, audio: string, picture: string, seconds: number}} Clip
 * @typedef {{clip: Clip, sound: AudioBuffer, picture: string}} Loaded
 */
export class Clips {
  /**
   * @param {{next: string, hold: string, release: string}} addresses
   * @param {import("./labelling_sound.js").LoopedClip} sound
   * @param {{arrived: () => void, none: () => void, trouble: (reason: string) => void,
   *          left: (count: number) => void, inHand: () => string[], unsent: () => string[]}} on
   *   `inHand`: ids the page shows or has put aside; `unsent`: ids whose answers are on their way
   */
  constructor(addresses, sound, on) {
    this.addresses = addresses;
    this.sound = sound;
    this.on = on;
    /** @type {Loaded[]} */
    this.ahead = [];
    this.isFilling = false;
    this.arriving = null;
    /** Names this page to the server, so that leaving it also gives back a clip on its way here. */
    this.page = newId();
  }

  /** Ids of all clips that are locked for this page. */
  held() {
    const ids = [...this.on.inHand(), ...this.ahead.map(({ clip }) => clip.id)];
    return [...new Set(this.arriving ? [...ids, this.arriving] : ids)];
  }

  /** @returns {Loaded | undefined} the next clip, at once; undefined if none is there yet. Another
   * one is asked for only when this one lies on the desk, or it would come a second time. */
  take() {
    const next = this.ahead.shift();
    setTimeout(() => this.fill());
    return next;
  }

  async fill() {
    if (this.isFilling) return;
    this.isFilling = true;
    clearTimeout(this.timer);
    let waitMs = 0;
    while (this.ahead.length < AHEAD && !waitMs) waitMs = await this.fetchOne();
    this.isFilling = false;
    if (waitMs) this.timer = setTimeout(() => this.fill(), waitMs);
  }

  /** @returns {Promise<number>} ms to wait before the next try; 0 if a clip came. */
  async fetchOne() {
    try {
      const holding = [...new Set([...this.held(), ...this.on.unsent()])].slice(0, MOST_HELD);
      const { clip, remaining } = await post(this.addresses.next, { holding, page: this.page });
      this.on.left(remaining);
      if (!clip) {
        this.on.none();
        return NOTHING_WAIT_MS;
      }
      // Asked for while this very clip was on its way to the desk: ask again, naming it.
      if ([...this.held(), ...this.on.unsent()].includes(clip.id)) return AGAIN_MS;
      this.arriving = clip.id;
      const loaded = await this.load(clip);
      this.arriving = null;
      this.ahead.push(loaded);
      this.on.trouble("");
      this.on.arrived();
      return 0;
    } catch (why) {
      // A file that cannot be had or read: somebody else, or a later moment, may be luckier.
      if (this.arriving) this.giveBack([this.arriving]);
      this.arriving = null;
      this.on.trouble(why instanceof Later ? why.reason : "broken");
      return Math.max(TROUBLE_WAIT_MS, 1000 * (why.waitS || 0));
    }
  }

  /** @param {Clip} clip @returns {Promise<Loaded>} with sound decoded and picture drawn. */
  async load(clip) {
    const [sound, picture] = await Promise.all([
      bytes(clip.audio).then((data) => this.sound.decode(data)),
      bytes(clip.picture).then(drawn),
    ]);
    return { clip, sound, picture };
  }

  /** Give a sign of life for the clips in hand; forget those that somebody else has by now.
   * @returns {Promise<string[]>} ids of clips that are lost */
  async hold() {
    const clips = this.held();
    if (!clips.length) return [];
    const { lost } = await post(this.addresses.hold, { clips });
    this.ahead = this.ahead.filter(({ clip }) => !lost.includes(clip.id));
    this.fill();
    return lost;
  }

  /** The page is left: all of its clips go back. */
  leave() {
    this.giveBack(this.held(), { page: this.page });
  }

  /** Give clips back; works while the page goes away. */
  giveBack(ids, more = {}) {
    const form = new FormData();
    const fields = { csrfmiddlewaretoken: csrfToken(), clips: JSON.stringify(ids), ...more };
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    navigator.sendBeacon(this.addresses.release, form);
  }
}

/** @returns {Promise<string>} address of a picture that shows without delay */
async function drawn(data) {
  const address = URL.createObjectURL(new Blob([data], { type: "image/png" }));
  const image = new Image();
  image.src = address;
  await image.decode();
  return address;
}
