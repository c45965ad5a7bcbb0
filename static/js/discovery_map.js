/** The map of the catalogue: wandering by pointer, touch and keys; choosing and hearing songs. */
import { paint, paintLegend, Palette } from "./map_paint.js";
import { nearestTo, nextTowards, pointAt, View } from "./map_view.js";

const root = document.getElementById("map");
const canvas = root.querySelector(".map__canvas");
const context = canvas.getContext("2d");
const tip = root.querySelector(".map__tip");
const nearList = root.querySelector("[data-near]");
const card = root.querySelector("[data-chosen]");
const empty = root.querySelector(".map__empty");
const view = new View(1, 1);
const palette = new Palette(root);
const state = { points: [], isAll: false, chosen: null, pointed: null, wayFrom: null };
const say = (text) => document.dispatchEvent(new CustomEvent("announce", { detail: text }));

let frame = 0;
function redraw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    paint(context, view, state.points, palette, state);
  });
}

/* Loading: what is seen and a little around it; once all is there, nothing more. */
let loading = null;
let later = 0;
async function load(box) {
  loading?.abort();
  loading = new AbortController();
  const query = box ? `?box=${box.map((n) => n.toFixed(4)).join(",")}` : "";
  try {
    const answer = await fetch(root.dataset.points + query, {
      headers: { Accept: "application/json" },
      signal: loading.signal,
    });
    if (answer.status === 429) {
      lookLater(1_000 * Number(answer.headers.get("Retry-After") || 2));
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const found = await answer.json();
    state.points = found.points;
    const there = new Set(state.points.map((one) => one.id));
    for (const kept of [state.chosen, state.wayFrom]) {
      if (kept && !there.has(kept.id)) state.points.push(kept);
      if (kept) there.add(kept.id);
    }
    if (!box) state.isAll = found.is_all;
    root.querySelector("[data-partly]").hidden = found.is_all;
    palette.learn(state.points);
    legend();
  } catch (reason) {
    if (reason.name !== "AbortError") say("The map does not answer. Try again in a moment.");
    return;
  }
  changed();
}

function lookLater(wait = 180) {
  clearTimeout(later);
  later = setTimeout(() => load(view.box(0.25)), wait);
}

/** The view has moved: draw, list what lies in the middle, fetch what is missing. */
function changed({ fetchMore = false } = {}) {
  redraw();
  listNear();
  if (fetchMore && !state.isAll) lookLater();
}

function legend() {
  paintLegend(root.querySelector(".map__legend"), palette, redraw);
}

let listing = 0;
function listNear() {
  clearTimeout(listing);
  listing = setTimeout(() => {
    const [left, bottom, right, top] = view.box();
    const seen = state.points.filter(
      (one) => one.x >= left && one.x <= right && one.y >= bottom && one.y <= top,
    );
    empty.hidden = seen.length > 0;
    const rows = nearestTo(seen, state.chosen && view.shows(state.chosen) ? state.chosen : view, 8);
    nearList.replaceChildren(
      ...rows.map((point) => {
        const row = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.id = point.id;
        if (point.id === state.chosen?.id) button.setAttribute("aria-current", "true");
        const title = document.createElement("span");
        title.className = "truncate";
        title.textContent = point.title;
        const artist = document.createElement("span");
        artist.className = "muted small truncate";
        artist.textContent = point.artist;
        button.append(title, artist);
        row.append(button);
        return row;
      }),
    );
  }, 120);
}

/* Choosing. */
let choosing = null;
async function choose(point) {
  state.chosen = point;
  if (!view.shows(point)) [view.x, view.y] = [point.x, point.y];
  changed({ fetchMore: true });
  const facts = [point.genre, point.tempo_bpm && `${Math.round(point.tempo_bpm)} BPM`];
  say([`${point.title} by ${point.artist}`, ...facts].filter(Boolean).join(", "));
  choosing?.abort();
  choosing = new AbortController();
  try {
    const answer = await fetch(
      root.dataset.song.replace("00000000-0000-0000-0000-000000000000", point.id),
      { signal: choosing.signal },
    );
    if (!answer.ok) throw new Error(String(answer.status));
    // Our own page, from our own template.
    card.innerHTML = await answer.text();
  } catch (reason) {
    if (reason.name === "AbortError") return;
    const words = reason.message === "404" ? "This song is no longer on the map." : "It does not answer. Choose it again in a moment.";
    card.replaceChildren(Object.assign(document.createElement("p"), { className: "muted", textContent: words }));
    return;
  }
  offerWay();
  if (root.querySelector("[data-listen]").checked) play();
}

function play() {
  card.querySelector('[data-play][aria-pressed="false"]')?.click();
}

function letGo() {
  state.chosen = null;
  redraw();
  listNear();
}

/* A way from one song to another, as a playlist. */
function offerWay() {
  const form = card.querySelector("[data-way-to]");
  if (!form || !state.wayFrom) return;
  const same = form.dataset.wayTo === state.wayFrom.id;
  form.hidden = same;
  form.elements.start.value = state.wayFrom.id;
  form.querySelector("[data-way-title]").textContent = state.wayFrom.title;
}

card.addEventListener("click", (event) => {
  const from = event.target.closest("[data-way-from]");
  if (!from) return;
  state.wayFrom = state.chosen;
  say(`The way starts at ${from.dataset.title}. Choose where it ends.`);
  from.textContent = "The way starts here";
  offerWay();
  redraw();
});

nearList.addEventListener("click", (event) => {
  const id = event.target.closest("[data-id]")?.dataset.id;
  const point = state.points.find((one) => one.id === id);
  if (point) choose(point);
});

/* Pointers: one drags, two pinch. */
const held = new Map();
let moved = 0;
let spread = 0;
const spreadOf = () => {
  const [a, b] = [...held.values()];
  return Math.hypot(a.x - b.x, a.y - b.y);
};

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  held.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  if (held.size === 1) moved = 0;
  if (held.size === 2) spread = spreadOf();
});

canvas.addEventListener("pointermove", (event) => {
  const last = held.get(event.pointerId);
  if (!last) {
    if (event.pointerType === "mouse") pointTo(event.offsetX, event.offsetY);
    return;
  }
  const [dx, dy] = [event.offsetX - last.x, event.offsetY - last.y];
  held.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  moved += Math.abs(dx) + Math.abs(dy);
  if (held.size === 1) view.moveBy(dx, dy);
  if (held.size === 2) {
    const [a, b] = [...held.values()];
    const now = spreadOf();
    view.moveBy(dx / 2, dy / 2);
    if (spread > 0) view.zoom(now / spread, (a.x + b.x) / 2, (a.y + b.y) / 2);
    spread = now;
    moved += 100;
  }
  tip.hidden = true;
  changed({ fetchMore: true });
});

function lift(event) {
  if (!held.delete(event.pointerId)) return;
  if (event.type === "pointerup" && held.size === 0 && moved < 8) {
    const reach = event.pointerType === "mouse" ? 12 : 24;
    const point = pointAt(view, state.points, event.offsetX, event.offsetY, reach);
    if (point) choose(point);
  }
}
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);
canvas.addEventListener("pointerleave", () => pointTo(-100, -100));

function pointTo(x, y) {
  const point = pointAt(view, state.points, x, y, 12);
  if (point === state.pointed) return;
  state.pointed = point;
  canvas.style.cursor = point ? "pointer" : "";
  tip.hidden = !point;
  if (point) {
    tip.textContent = `${point.title} · ${point.artist}`;
    const at = view.toScreen(point);
    const left = Math.min(at.x + 14, Math.max(4, view.width - tip.offsetWidth - 4));
    const top = at.y > view.height - 60 ? at.y - 44 : at.y + 14;
    tip.style.transform = `translate(${left}px, ${top}px)`;
  }
  redraw();
}

canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.03 : 0.0015)), event.offsetX, event.offsetY);
    changed({ fetchMore: true });
  },
  { passive: false },
);

root.addEventListener("click", (event) => {
  const zoom = event.target.closest("[data-zoom]")?.dataset.zoom;
  if (zoom === "all") showAll();
  else if (zoom) {
    view.zoom(zoom === "in" ? 1.6 : 1 / 1.6);
    changed({ fetchMore: true });
  }
  const colour = event.target.closest("[data-colour]")?.dataset.colour;
  if (colour) {
    palette.by = colour;
    for (const one of root.querySelectorAll("[data-colour]")) {
      one.setAttribute("aria-pressed", String(one.dataset.colour === colour));
    }
    legend();
    redraw();
  }
});

async function showAll() {
  if (!state.isAll) await load(null);
  view.fit(state.points);
  changed();
}

/* Keys. */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in ARROWS) {
    const next = state.chosen
      ? nextTowards(state.points, state.chosen, ...ARROWS[event.key])
      : nearestTo(state.points, view, 1)[0];
    if (next) choose(next);
    else say("No song further on in this direction.");
  } else if (event.key === "+" || event.key === "=") view.zoom(1.4);
  else if (event.key === "-") view.zoom(1 / 1.4);
  else if (event.key === "0") showAll();
  else if (event.key === "Enter") play();
  else if (event.key === "Escape") letGo();
  else return;
  event.preventDefault();
  changed({ fetchMore: true });
});

/* The canvas is as large as its place, in the screen's own pixels. */
function size() {
  const ratio = window.devicePixelRatio || 1;
  view.width = canvas.clientWidth;
  view.height = canvas.clientHeight;
  canvas.width = Math.round(view.width * ratio);
  canvas.height = Math.round(view.height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  redraw();
}
new ResizeObserver(size).observe(canvas);
size();
await load(null);
view.fit(state.points);
const start = document.getElementById("map-start");
if (start) {
  const point = JSON.parse(start.textContent);
  Object.assign(view, { x: point.x, y: point.y });
  view.zoom(2.5);
  if (!state.points.some((one) => one.id === point.id)) state.points.push(point);
  await choose(state.points.find((one) => one.id === point.id));
}
changed();
root.dataset.ready = "true";
