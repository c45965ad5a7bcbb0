/** Sound on a page: clock texts, one sounding element at a time, and the docked player for rows. */

/** Seconds as m:ss (h:mm:ss from one hour). */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const s = String(whole % 60).padStart(2, "0");
  const m = Math.floor(whole / 60) % 60;
  const h = Math.floor(whole / 3600);
  return h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/** Starting one <audio> stops every other one of the page. */
const sounding = new Set();
export function onlyOne(audio) {
  sounding.add(audio);
  audio.addEventListener("play", () => {
    for (const other of sounding) if (other !== audio) other.pause();
  });
}

/** Buttons with data-play=URL, anywhere and at any time, play through one <audio> in the dock. */
export function startDock() {
  const dock = document.getElementById("dock");
  if (!dock) return;
  const audio = new Audio();
  audio.preload = "metadata";
  onlyOne(audio);
  const part = (name) => dock.querySelector(`[data-dock-${name}]`);
  const [toggle, title, artist, seek, time] = ["toggle", "title", "artist", "seek", "time"].map(part);
  let current = null;

  const paint = () => {
    const playing = !audio.paused;
    toggle.setAttribute("aria-pressed", String(playing));
    toggle.setAttribute("aria-label", playing ? "Pause" : "Play");
    for (const button of document.querySelectorAll("[data-play]")) {
      button.setAttribute("aria-pressed", String(playing && button.dataset.play === current));
    }
  };
  const say = (text) => document.dispatchEvent(new CustomEvent("announce", { detail: text }));
  const play = () =>
    audio.play().catch((reason) => {
      if (reason.name !== "AbortError") say(`${title.textContent} cannot be played.`);
    });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-play]");
    if (!button) return;
    if (current === button.dataset.play) {
      if (audio.paused) play();
      else audio.pause();
      return;
    }
    current = button.dataset.play;
    title.textContent = button.dataset.title;
    artist.textContent = button.dataset.artist;
    audio.src = current;
    dock.hidden = false;
    play();
  });

  toggle.addEventListener("click", () => (audio.paused ? play() : audio.pause()));
  part("close").addEventListener("click", () => {
    audio.pause();
    dock.hidden = true;
  });
  seek.addEventListener("input", () => {
    if (audio.duration) audio.currentTime = Number(seek.value) * audio.duration;
  });
  audio.addEventListener("timeupdate", () => {
    const share = audio.duration ? audio.currentTime / audio.duration : 0;
    if (document.activeElement !== seek || !seek.matches(":active")) seek.value = String(share);
    seek.setAttribute("aria-valuetext", `${clock(audio.currentTime)} of ${clock(audio.duration)}`);
    time.textContent = `${clock(audio.currentTime)} / ${clock(audio.duration)}`;
  });
  for (const name of ["play", "pause", "ended", "emptied"]) audio.addEventListener(name, paint);
  audio.addEventListener("ended", () => {
    document.dispatchEvent(new CustomEvent("dock:ended", { detail: current }));
  });
  audio.addEventListener("error", () => {
    time.textContent = "cannot be played";
    say(`${title.textContent} cannot be played.`);
  });
  document.body.addEventListener("htmx:afterSwap", paint);
}
