/** The page that compares two versions: its player, switch and waveforms. */
import { InStep, matchedGains } from "./in_step.js";
import { clock, onlyOne } from "./player.js";
import { drawWave } from "./waveform.js";

const STEP_S = 5;
const BIG_STEP_S = 15;

const root = document.getElementById("compare-player");
if (root) start(root);

function start(player) {
  const part = (name) => player.querySelector(`[data-${name}]`);
  const all = (name) => [...player.querySelectorAll(`[data-${name}]`)];
  const elements = all("audio");
  const both = new InStep(elements, matchedGains(elements.map((one) => parseFloat(one.dataset.lufs))));
  const [toggle, seekbar, now, end, offset] = ["toggle", "seek", "now", "end", "offset"].map(part);
  const sides = all("side");
  const rows = all("wave-row");

  for (const element of elements) {
    element.controls = false;
    element.hidden = true;
    element.addEventListener("error", () => problem(`${element.dataset.name} cannot be played in this browser.`));
  }
  // Another player of the page stops these, and these stop it; they do not stop each other.
  onlyOne(elements[0]);
  for (const name of ["toggle", "switch", "time", "keys", "seek", "offset-part"]) part(name).hidden = false;
  for (const canvas of all("wave")) canvas.hidden = false;

  function problem(text) {
    const line = part("problem");
    line.textContent = text;
    line.hidden = !text;
  }

  const playOrPause = () => {
    if (both.playing) both.pause();
    else {
      both.play().then(() => problem(""), () => problem("The sound cannot be played. Check your connection and try again."));
    }
  };
  const choose = (side) => {
    sides[side].checked = true;
    both.choose(side);
    document.dispatchEvent(new CustomEvent("announce", { detail: `${elements[side].dataset.name} sounds` }));
  };

  let second = -1;
  const waves = elements.map((element, side) => {
    const wave = { canvas: rows[side].querySelector("canvas"), peaks: null };
    new ResizeObserver(() => paint()).observe(wave.canvas);
    if (element.dataset.waveform) {
      fetch(element.dataset.waveform, { headers: { Accept: "application/json" } })
        .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
        .then((peaks) => {
          wave.peaks = peaks;
          reshape();
        })
        .catch(() => problem("A waveform could not be loaded. Reload the page to try again."));
    }
    return wave;
  });

  /** Highest point of both waveforms as they are played: fills the height of the picture. */
  function loudest() {
    const tops = waves.map(({ peaks }, side) =>
      peaks ? both.gains[side] * peaks.max.reduce((most, one, i) => Math.max(most, one, -peaks.min[i]), 0) : 0);
    return Math.max(...tops) || 1;
  }

  /** The columns of a side's waveform that lie in the shared stretch, as loud as it is played. */
  function sharedPeaks(side) {
    const { peaks } = waves[side];
    if (!peaks) return null;
    const shift = side === 1 ? both.offset : 0;
    const [from, to] = both.stretch.map((at) =>
      Math.round(((at + shift) / both.durations[side]) * peaks.max.length));
    const gain = both.gains[side] / loudest();
    const [min, max] = [peaks.min, peaks.max].map((all) => all.slice(from, to).map((one) => one * gain));
    return { min, max };
  }

  let shown = [null, null];
  function reshape() {
    shown = waves.map((_, side) => sharedPeaks(side));
    second = -1;
    paint();
  }

  function paint() {
    const [from, to] = both.stretch;
    const at = both.position;
    const share = to > from ? Math.min(1, Math.max(0, (at - from) / (to - from))) : 0;
    waves.forEach(({ canvas }, side) => drawWave(canvas, shown[side], share));
    seekbar.min = String(from);
    seekbar.max = String(to);
    if (!seekbar.matches(":active")) seekbar.value = String(at);
    if (Math.floor(at) === second) return;
    second = Math.floor(at);
    now.textContent = clock(at);
    end.textContent = clock(to);
    seekbar.setAttribute("aria-valuetext", `${clock(at)} of ${clock(to)}`);
  }

  function follow() {
    paint();
    if (both.playing) requestAnimationFrame(follow);
  }

  both.changed = () => {
    toggle.setAttribute("aria-pressed", String(both.playing));
    toggle.setAttribute("aria-label", both.playing ? "Pause" : "Play");
    rows.forEach((row, side) => row.classList.toggle("is-heard", side === both.heard));
    if (both.playing) requestAnimationFrame(follow);
    else paint();
  };
  both.changed();
  for (const element of elements) {
    element.addEventListener("loadedmetadata", reshape);
    element.addEventListener("seeked", paint);
  }

  toggle.addEventListener("click", playOrPause);
  sides.forEach((radio, side) => radio.addEventListener("change", () => choose(side)));
  seekbar.addEventListener("input", () => both.seek(Number(seekbar.value)));

  function shift(ms) {
    if (!Number.isFinite(ms)) return;
    const at = both.position;
    both.offset = ms / 1000;
    reshape();
    const [from, to] = both.stretch;
    problem(to - from < 0.1 ? "With this shift the two versions have nothing in common." : "");
    both.seek(at);
  }
  offset.addEventListener("change", () => shift(offset.valueAsNumber));
  part("suggestion")?.addEventListener("click", (event) => {
    offset.value = event.currentTarget.dataset.suggestion;
    shift(offset.valueAsNumber);
  });

  for (const { canvas } of waves) {
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const box = canvas.getBoundingClientRect();
      const [from, to] = both.stretch;
      both.seek(from + ((event.clientX - box.left) / box.width) * (to - from));
    });
  }

  const move = (seconds) => both.seek(both.position + seconds);
  const moves = {
    ArrowRight: () => move(STEP_S),
    ArrowUp: () => move(STEP_S),
    ArrowLeft: () => move(-STEP_S),
    ArrowDown: () => move(-STEP_S),
    PageUp: () => move(BIG_STEP_S),
    PageDown: () => move(-BIG_STEP_S),
    Home: () => both.seek(both.stretch[0]),
    End: () => both.seek(both.stretch[1]),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    const onSeekbar = target === seekbar;
    const free = target === document.body || target === document.getElementById("content");
    const typing = target.matches("select, textarea, input:not([type=radio], [type=range])");
    // Away from the slider the page keeps its scrolling keys: only left, right and space are ours.
    const ours = onSeekbar || (free && (event.key === "ArrowLeft" || event.key === "ArrowRight"));
    if (event.key.toLowerCase() === "b" && !typing) choose(1 - both.heard);
    else if (event.key === " " && (free || onSeekbar)) playOrPause();
    else if (ours && moves[event.key]) moves[event.key]();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const place = event.target.closest("[data-hear]");
    if (!place) return;
    const side = Number(place.dataset.hearSide);
    if (side !== both.heard) choose(side);
    both.seek(Number(place.dataset.hear) - (side === 1 ? both.offset : 0));
    if (!both.playing) playOrPause();
    player.scrollIntoView({ block: "start" });
  });
}
