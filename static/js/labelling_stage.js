/** What is seen of the clip and of the connection: picture, playhead, notes, dialogs, options. */
const NOTE_MS = 6_000;
const GUESS_MS = 5_000;
const TROUBLE = {
  offline: "The connection is lost. You can go on with the clips that are here",
  login: "You are logged out. Your answers are kept here until you have logged in again",
  reload: "The server no longer takes answers from this page. They are kept: load the page again",
  busy: "The server is busy and will be asked again",
  broken: "A clip could not be read; another one is being fetched",
};

export class Stage {
  /** @param {HTMLElement} root @param {import("./labelling_sound.js").LoopedClip} sound */
  constructor(root, sound) {
    const find = (name) => root.querySelector(`[data-${name}]`);
    this.sound = sound;
    this.stage = find("stage");
    this.canvas = find("seek");
    this.picture = find("picture");
    this.playhead = find("playhead");
    this.reopened = find("reopened");
    this.length = find("length");
    this.cover = find("cover");
    this.coverText = find("cover-text");
    this.startButton = find("start");
    this.toggle = root.querySelector('[data-do="play"]');
    this.sent = find("sent");
    this.said = find("said");
    this.troubleBox = find("trouble");
    this.troubleText = find("trouble-text");
    this.troubleLogin = find("trouble-login");
    this.reasons = { clips: "", answers: "" };
    this.waiting = 0;
    this.keepOptions();
    this.keepFocus(root);
    this.startExamples();
    this.follow = this.follow.bind(this);
    requestAnimationFrame(this.follow);
  }

  onStart(begin) {
    this.startButton.focus({ preventScroll: true });
    this.startButton.addEventListener("click", () => {
      this.startButton.hidden = true;
      this.showWaiting();
      this.stage.focus({ preventScroll: true });
      begin();
    });
  }

  onSeek(go) {
    this.canvas.addEventListener("click", ({ clientX }) => {
      if (!this.sound.buffer) return;
      const box = this.canvas.getBoundingClientRect();
      go(((clientX - box.left) / box.width) * this.sound.buffer.duration);
    });
  }

  show({ clip, picture, sound, ballot }) {
    this.cover.hidden = true;
    this.picture.src = picture;
    this.picture.dataset.clip = clip.id;
    this.picture.hidden = false;
    this.playhead.hidden = false;
    this.reopened.hidden = !ballot;
    this.length.textContent = `${sound.duration.toFixed(1)} s`;
    this.toggle.setAttribute("aria-pressed", "true");
  }

  showWaiting() {
    this.empty("The next clip is on its way …");
  }

  showNothing() {
    if (!this.startButton.hidden) return;
    this.empty("Nothing is left to label for now. This page looks again by itself.");
    this.say("Nothing is left to label for now.");
  }

  empty(text) {
    this.cover.hidden = false;
    this.coverText.textContent = text;
    this.picture.hidden = true;
    this.playhead.hidden = true;
    this.reopened.hidden = true;
    this.length.textContent = "";
    this.drawPlaying();
  }

  drawPlaying() {
    this.toggle.setAttribute("aria-pressed", String(this.sound.isPlaying));
  }

  follow() {
    const { buffer } = this.sound;
    if (buffer) this.playhead.style.left = `${(100 * this.sound.position) / buffer.duration}%`;
    requestAnimationFrame(this.follow);
  }

  /** Read out; the same words twice are read twice. */
  say(text) {
    this.said.textContent = this.said.textContent === text ? `${text}\u00a0` : text;
  }

  /** Words beside the buttons, for a while. */
  note(text, forMs = NOTE_MS) {
    clearTimeout(this.noteTimer);
    this.sent.textContent = text;
    this.noteTimer = setTimeout(() => {
      this.sent.textContent = this.waiting ? this.waitingText() : "";
    }, forMs);
  }

  showGuess(tags, guess, votes) {
    const parts = tags.rows
      .filter(({ slug }) => slug in guess)
      .map(({ slug, name }) => `${name} ${Math.round(100 * guess[slug])} %`);
    const own = tags.told(votes ?? {});
    this.note(`Last clip. The model: ${parts.join(", ")}.${own ? ` You: ${own}.` : ""}`, GUESS_MS);
  }

  sending(waiting, reason) {
    this.waiting = waiting;
    this.trouble("answers", reason);
    if (waiting && reason) this.sent.textContent = this.waitingText();
    else if (!waiting && /waits? to be sent/.test(this.sent.textContent)) this.sent.textContent = "";
  }

  waitingText() {
    return `${this.waiting} answer${this.waiting === 1 ? " waits" : "s wait"} to be sent.`;
  }

  /** @param {"clips" | "answers"} part @param {string} reason key of TROUBLE, empty for none */
  trouble(part, reason) {
    const before = this.reasons[part];
    this.reasons[part] = reason;
    const now = this.reasons.answers || this.reasons.clips;
    this.troubleBox.hidden = !now;
    if (!now) return;
    this.troubleText.textContent = `${TROUBLE[now] ?? TROUBLE.busy}.`;
    this.troubleLogin.hidden = now !== "login";
    if (before !== reason && reason) this.say(this.troubleText.textContent);
  }

  /** @param {string} id of a dialog @param {string} [slug] of the tag to show in it */
  open(id, slug) {
    const dialog = document.getElementById(id);
    dialog.showModal();
    if (slug) dialog.querySelector(`[data-guideline="${slug}"]`).scrollIntoView();
  }

  option(name) {
    return this.options[name].checked;
  }

  keepOptions() {
    this.options = {};
    for (const box of document.querySelectorAll("[data-option]")) {
      const key = `labelling-option-${box.dataset.option}`;
      const kept = localStorage.getItem(key);
      if (kept !== null) box.checked = kept === "true";
      box.addEventListener("change", () => localStorage.setItem(key, String(box.checked)));
      this.options[box.dataset.option] = box;
    }
  }

  /** After a press with mouse or finger, keys go to the clip again and not to the button. */
  keepFocus(root) {
    root.addEventListener("click", ({ target, detail }) => {
      if (detail > 0 && target.closest("[data-do], [type=radio], [data-seek]")) {
        this.stage.focus({ preventScroll: true });
      }
    });
    for (const dialog of document.querySelectorAll("dialog")) {
      dialog.addEventListener("close", () => this.stage.focus({ preventScroll: true }));
    }
  }

  /** Example sounds of the guidelines; the clip is silent meanwhile. */
  startExamples() {
    const player = new Audio();
    let pressed = null;
    const stop = () => {
      player.pause();
      pressed?.setAttribute("aria-pressed", "false");
      pressed = null;
    };
    for (const button of document.querySelectorAll("[data-example]")) {
      button.addEventListener("click", () => {
        const isOn = pressed === button;
        stop();
        if (isOn) return;
        if (this.sound.isPlaying) this.sound.pause();
        this.drawPlaying();
        pressed = button;
        button.setAttribute("aria-pressed", "true");
        player.src = button.dataset.example;
        player.play().catch(stop);
      });
    }
    player.addEventListener("ended", stop);
    document.getElementById("labelling-guidelines").addEventListener("close", stop);
  }
}
