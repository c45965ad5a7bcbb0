/** The report page: the player's timeline, and jumps from findings. */
import { startAudition } from "./audition.js";
import { startEvidence } from "./evidence.js";
import { clock, onlyOne } from "./player.js";
import { drawWave } from "./waveform.js";

const STEP_S = 5;
const BIG_STEP_S = 15;

const root = document.getElementById("player");
if (root) start(root);

function start(player) {
  const part = (name) => player.querySelector(`[data-${name}]`);
  const audio = part("player-audio");
  const duration = () => (audio && audio.duration > 0 && audio.duration < Infinity ? audio.duration : Number(player.dataset.duration));

  function problem(text) {
    const line = part("player-problem");
    line.textContent = text;
    line.hidden = !text;
  }

  const canvas = part("wave");
  const wave = { peaks: null, share: 0 };
  const redraw = () => drawWave(canvas, wave.peaks, wave.share);
  new ResizeObserver(redraw).observe(canvas);
  if (player.dataset.waveform) {
    fetch(player.dataset.waveform, { headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
      .then((peaks) => {
        wave.peaks = peaks;
        redraw();
      })
      .catch(() => problem("The waveform could not be loaded. Reload the page to try again."));
  }

  if (!audio) {
    startEvidence(player, null);
    return;
  }
  onlyOne(audio);
  audio.controls = false;
  audio.hidden = true;
  const [toggle, time, now, seekbar, head, hover] = [
    "player-toggle", "player-time", "player-now", "seekbar", "playhead", "hover",
  ].map(part);
  for (const shown of [toggle, time, seekbar, part("player-keys")]) shown.hidden = false;

  const play = () =>
    audio.play().then(() => problem(""), (reason) => {
      if (reason.name !== "AbortError") problem("The sound cannot be played. Check your connection and try again.");
    });
  const playOrPause = () => (audio.paused ? play() : audio.pause());
  const evidence = startEvidence(player, { audio, play });
  startAudition({ audio, playOrPause });
  const seek = (seconds) => {
    evidence.moved(seconds);
    audio.currentTime = Math.min(Math.max(0, seconds), Math.max(0, duration() - 0.05));
    paint();
  };

  let painted = -1;
  function paint() {
    const at = audio.currentTime;
    wave.share = duration() ? at / duration() : 0;
    head.style.left = `${100 * wave.share}%`;
    const second = Math.floor(at);
    if (second !== painted) {
      painted = second;
      now.textContent = clock(at);
      seekbar.setAttribute("aria-valuenow", String(second));
      seekbar.setAttribute("aria-valuetext", `${clock(at)} of ${clock(duration())}`);
    }
    redraw();
  }

  function follow() {
    paint();
    if (!audio.paused) requestAnimationFrame(follow);
  }

  for (const name of ["play", "pause", "ended"]) {
    audio.addEventListener(name, () => {
      const playing = !audio.paused;
      toggle.setAttribute("aria-pressed", String(playing));
      toggle.setAttribute("aria-label", playing ? "Pause" : "Play");
      if (playing) follow();
    });
  }
  for (const name of ["timeupdate", "seeked", "loadedmetadata"]) audio.addEventListener(name, paint);
  toggle.addEventListener("click", playOrPause);

  const stretches = [...player.querySelectorAll("[data-stretch]")];
  const genreAt = (seconds) =>
    stretches.find(({ dataset }) => seconds >= dataset.start && seconds < dataset.end)?.dataset.stretch;
  const secondsAt = (event) => {
    const box = seekbar.getBoundingClientRect();
    return (Math.min(Math.max(0, event.clientX - box.left), box.width) / box.width) * duration();
  };
  seekbar.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || evidence.pick(event)) return;
    seekbar.setPointerCapture(event.pointerId);
    seek(secondsAt(event));
  });
  seekbar.addEventListener("pointermove", (event) => {
    const seconds = secondsAt(event);
    if (event.buttons & 1 && seekbar.hasPointerCapture(event.pointerId)) seek(seconds);
    hover.hidden = event.pointerType !== "mouse";
    hover.style.left = `${(100 * seconds) / duration()}%`;
    hover.dataset.time = [clock(seconds), genreAt(seconds)].filter(Boolean).join("  ");
    hover.classList.toggle("is-late", seconds > 0.9 * duration());
  });
  seekbar.addEventListener("pointerleave", () => {
    hover.hidden = true;
  });

  const moves = {
    ArrowRight: () => seek(audio.currentTime + STEP_S),
    ArrowUp: () => seek(audio.currentTime + STEP_S),
    ArrowLeft: () => seek(audio.currentTime - STEP_S),
    ArrowDown: () => seek(audio.currentTime - STEP_S),
    PageUp: () => seek(audio.currentTime + BIG_STEP_S),
    PageDown: () => seek(audio.currentTime - BIG_STEP_S),
    Home: () => seek(0),
    End: () => seek(duration()),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onSeekbar = event.target === seekbar;
    const free = event.target === document.body || event.target === document.getElementById("content");
    if (!onSeekbar && !free) return;
    // Away from the slider the page keeps its scrolling keys: only left, right and space are ours.
    const ours = onSeekbar || event.key === "ArrowLeft" || event.key === "ArrowRight";
    if (event.key === " ") playOrPause();
    else if (ours && moves[event.key]) moves[event.key]();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const jump = event.target.closest("[data-seek-to]");
    if (!jump) return;
    seek(Number(jump.dataset.seekTo));
    play();
    player.scrollIntoView({ block: "start" });
  });
}
