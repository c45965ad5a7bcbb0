/**
 * What lies on the rater's desk: the clip in front of her, those she has put aside, those she has
 * answered. An entry is `{clip, sound, picture, ballot, takenBack, votes, skipped, number}`; `ballot`
 * is the id of her answer, null before she has given one; `takenBack` that of one she undid.
 */
export class Desk {
  constructor() {
    this.current = null;
    this.aside = [];
    this.past = [];
  }

  /** Ids of clips that are in hand without an answer. */
  inHand() {
    const entries = this.current ? [this.current, ...this.aside] : this.aside;
    return entries.filter(({ ballot }) => !ballot).map(({ clip }) => clip.id);
  }

  /** The oldest answer that the page knows; what is older, the server knows. */
  get oldestBallot() {
    const known = [...this.past, this.current, ...this.aside.toReversed()]
      .map((entry) => entry?.ballot ?? entry?.takenBack)
      .find(Boolean);
    return known ?? null;
  }

  /** Show an earlier entry; the one in front is put aside as it is. */
  open(entry) {
    if (this.current) this.aside.push(this.current);
    this.current = entry;
  }

  /** The entry in front is answered; the one put aside comes to the front, if any. */
  answered() {
    if (this.current) this.past.push(this.current);
    this.goOn();
  }

  /** The entry in front is gone; the one put aside comes to the front, if any. */
  goOn() {
    // Answers that were only looked at on the way go back to where they were.
    while (this.aside.at(-1)?.ballot) this.past.push(this.aside.pop());
    this.current = this.aside.pop() ?? null;
  }

  /** Take an entry away, wherever it lies. */
  drop(clipId) {
    this.aside = this.aside.filter(({ clip }) => clip.id !== clipId);
    this.past = this.past.filter(({ clip }) => clip.id !== clipId);
  }
}

/** A UUID of version 4; `crypto.randomUUID` is there on HTTPS only. */
export function newId() {
  const digits = crypto.getRandomValues(new Uint8Array(16));
  digits[6] = (digits[6] & 0x0f) | 0x40;
  digits[8] = (digits[8] & 0x3f) | 0x80;
  const hex = [...digits].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Seconds spent on the clip in front while the page was looked at. */
export class Stopwatch {
  constructor() {
    this.restart();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.spentMs += performance.now() - this.since;
      else this.since = performance.now();
    });
  }

  restart() {
    this.spentMs = 0;
    this.since = performance.now();
  }

  get seconds() {
    return (this.spentMs + (document.hidden ? 0 : performance.now() - this.since)) / 1000;
  }
}
