/** Colours of the map and its legend, and the drawing itself. */

const HUES = [215, 40];
const RANGES = { tempo_bpm: [60, 180, "BPM"], energy: [0, 1, ""] };
const FULL = Math.PI * 2;

const hueAt = (share) => `hsl(${HUES[0] + (HUES[1] - HUES[0]) * share} 75% ${52 + 14 * share}%)`;

/** Names of genres and their colours, in one order. */
export class Palette {
  constructor(root) {
    this.style = getComputedStyle(root);
    this.by = "genre";
    this.genres = [];
    this.only = new Set();
  }

  named(name) {
    return this.style.getPropertyValue(name).trim();
  }

  learn(points) {
    const found = new Set([...this.genres, ...points.map((one) => one.genre).filter(Boolean)]);
    this.genres = [...found].sort();
  }

  ofGenre(genre) {
    const place = this.genres.indexOf(genre);
    return this.named(place < 0 ? "--map-none" : `--map-${place % 10}`);
  }

  of(point) {
    if (this.by === "genre") return this.ofGenre(point.genre);
    const value = point[this.by];
    if (value === null) return this.named("--map-none");
    const [low, high] = RANGES[this.by];
    return hueAt(Math.min(1, Math.max(0, (value - low) / (high - low))));
  }

  /** Whether a point is among what the legend singles out. */
  stands(point) {
    return !this.only.size || this.by !== "genre" || this.only.has(point.genre);
  }
}

/** The legend: a button for each genre, or a scale. */
export function paintLegend(target, palette, changed) {
  target.replaceChildren();
  if (palette.by !== "genre") {
    const [low, high, unit] = RANGES[palette.by];
    const scale = document.createElement("span");
    scale.className = "map__scale num";
    const bar = document.createElement("canvas");
    [bar.width, bar.height] = [100, 1];
    const context = bar.getContext("2d");
    for (let x = 0; x < 100; x += 1) {
      context.fillStyle = hueAt(x / 99);
      context.fillRect(x, 0, 1, 1);
    }
    scale.append(`${low}`, bar, `${high} ${unit}`.trim());
    target.append(scale);
    return;
  }
  for (const genre of [...palette.genres, ""]) {
    const key = document.createElement("button");
    key.type = "button";
    key.className = "map__key";
    key.setAttribute("aria-pressed", String(palette.only.has(genre)));
    const dot = document.createElement("span");
    dot.className = "map__dot";
    dot.style.setProperty("--dot", palette.ofGenre(genre));
    const name = genre ? genre[0].toUpperCase() + genre.slice(1) : "Undecided";
    key.append(dot, name);
    key.addEventListener("click", () => {
      if (!palette.only.delete(genre)) palette.only.add(genre);
      key.setAttribute("aria-pressed", String(palette.only.has(genre)));
      changed();
    });
    target.append(key);
  }
}

/** Draw all points; the chosen and the pointed at stand out. */
export function paint(context, view, points, palette, { chosen, pointed, wayFrom }) {
  context.clearRect(0, 0, view.width, view.height);
  const radius = Math.max(3, Math.min(7, 2 + Math.sqrt(view.scale) / 4));
  // What is singled out lies above the rest.
  const order = [...points].sort((a, b) => palette.stands(a) - palette.stands(b));
  for (const point of order) {
    const at = view.toScreen(point);
    if (at.x < -20 || at.y < -20 || at.x > view.width + 20 || at.y > view.height + 20) continue;
    context.globalAlpha = palette.stands(point) ? 0.92 : 0.16;
    context.fillStyle = palette.of(point);
    context.beginPath();
    context.arc(at.x, at.y, radius, 0, FULL);
    context.fill();
    if (point.is_own) ring(context, at, radius + 2.5, palette.named("--text-2"), 1.25);
  }
  context.globalAlpha = 1;
  if (wayFrom && chosen && wayFrom.id !== chosen.id) {
    const [a, b] = [view.toScreen(wayFrom), view.toScreen(chosen)];
    context.strokeStyle = palette.named("--accent");
    context.setLineDash([6, 5]);
    context.beginPath();
    context.moveTo(a.x, a.y);
    context.lineTo(b.x, b.y);
    context.stroke();
    context.setLineDash([]);
  }
  if (pointed) ring(context, view.toScreen(pointed), radius + 4, palette.named("--text"), 1.5);
  if (chosen) {
    const at = view.toScreen(chosen);
    ring(context, at, radius + 5, palette.named("--accent-bright"), 2.5);
    label(context, view, at, chosen.title, palette);
  }
}

function ring(context, at, radius, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  context.arc(at.x, at.y, radius, 0, FULL);
  context.stroke();
}

function label(context, view, at, title, palette) {
  const text = title.length > 32 ? `${title.slice(0, 31)}…` : title;
  context.font = `600 13px ${palette.named("--font")}`;
  context.textBaseline = "middle";
  const width = context.measureText(text).width;
  const x = Math.max(4, Math.min(view.width - width - 12, at.x + 16));
  context.fillStyle = palette.named("--well");
  context.globalAlpha = 0.8;
  context.fillRect(x - 4, at.y - 11, width + 8, 22);
  context.globalAlpha = 1;
  context.fillStyle = palette.named("--text");
  context.fillText(text, x, at.y);
}
