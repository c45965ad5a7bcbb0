/** The figures above the clip: this session, seconds per clip, in all, how many are left. */
const LAST = 50;
const SESSION = "labelling-session";

export class Pace {
  constructor(root) {
    this.at = Object.fromEntries(
      [...root.querySelectorAll("[data-pace]")].map((place) => [place.dataset.pace, place]),
    );
    this.seconds = [];
    this.total = Number(this.at.total.dataset.value);
    this.remaining = Number(this.at.left.dataset.value);
    this.session = Number(sessionStorage.getItem(SESSION) ?? 0);
    this.lastCount = this.remaining;
    this.draw();
  }

  count(seconds) {
    this.seconds = [...this.seconds, seconds].slice(-LAST);
    this.step(1);
  }

  uncount() {
    this.seconds.pop();
    this.step(-1);
  }

  /** The server's count knows of other people too, but is taken only so often. */
  left(count) {
    if (count === this.lastCount) return;
    this.lastCount = count;
    this.remaining = count;
    this.draw();
  }

  step(by) {
    this.session = Math.max(0, this.session + by);
    this.total = Math.max(0, this.total + by);
    this.remaining = Math.max(0, this.remaining - by);
    sessionStorage.setItem(SESSION, String(this.session));
    this.draw();
  }

  draw() {
    this.at.session.textContent = this.session.toLocaleString("en");
    this.at.total.textContent = this.total.toLocaleString("en");
    this.at.left.textContent = this.remaining.toLocaleString("en");
    if (!this.seconds.length) return;
    const sorted = [...this.seconds].sort((a, b) => a - b);
    const middle = sorted.length / 2;
    const median = (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
    this.at.seconds.textContent = `${median.toFixed(1)} s`;
  }
}
