/**
 * Answers on their way to the server, one after the other, in the order they were given.
 *
 * Each is kept in the browser until the server has confirmed it, also over a reload or a closed
 * window; each carries an id of its own, so that one that was sent twice counts once.
 */
import { Later, post } from "./labelling_requests.js";

const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 15;

export class Outbox {
  /**
   * @param {string} user whose answers these are
   * @param {{stored: (item: object, answer: object) => void, refused: (item: object, why: Error) =>
   *          void, changed: (waiting: number, reason: string) => void}} on
   */
  constructor(user, on) {
    this.prefix = `labelling:${user}:`;
    this.on = on;
    this.items = this.kept();
    this.isSending = false;
    this.count = 0;
    window.addEventListener("online", () => this.wake?.());
  }

  get size() {
    return this.items.length;
  }

  /** @param {{address: string, body: object, clip: string}} item */
  add(item) {
    this.count += 1;
    const key = `${this.prefix}${String(Date.now()).padStart(15, "0")}-${String(this.count).padStart(6, "0")}`;
    const whole = { ...item, key };
    this.items.push(whole);
    try {
      localStorage.setItem(key, JSON.stringify(item));
    } catch {
      // Without storage an answer lives as long as the page.
    }
    this.on.changed(this.size, "");
    this.pump();
  }

  /** Send what waits. */
  async pump() {
    if (this.isSending) return;
    this.isSending = true;
    let waitS = FIRST_WAIT_S;
    while (this.items.length) {
      const item = this.items[0];
      try {
        const answer = await post(item.address, item.body);
        this.done(item);
        waitS = FIRST_WAIT_S;
        this.on.stored(item, answer);
      } catch (why) {
        if (why instanceof Later) {
          this.on.changed(this.size, why.reason);
          await this.pause(Math.max(waitS, why.waitS || 0));
          waitS = Math.min(LONGEST_WAIT_S, 2 * waitS);
          continue;
        }
        this.done(item);
        this.on.refused(item, why);
      }
      this.on.changed(this.size, "");
    }
    this.isSending = false;
  }

  /** Ids of the clips whose answers wait. */
  clips() {
    return this.items.map(({ clip }) => clip);
  }

  done(item) {
    this.items.shift();
    try {
      localStorage.removeItem(item.key);
    } catch {
      // It was never stored.
    }
  }

  pause(seconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000 * seconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** What an earlier page could not send any more. */
  kept() {
    const found = [];
    try {
      for (const key of Object.keys(localStorage).sort()) {
        if (!key.startsWith(this.prefix)) continue;
        try {
          found.push({ ...JSON.parse(localStorage.getItem(key)), key });
        } catch {
          localStorage.removeItem(key);
        }
      }
    } catch {
      // No storage: nothing was kept.
    }
    return found;
  }
}
