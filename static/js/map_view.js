/** Where things of the map lie on its canvas: moving, going nearer, finding what is next to what. */

// Pixels that one unit of the map takes: at the farthest, at the nearest, and the most to begin with.
const [FARTHEST, NEAREST, FIRST] = [10, 20_000, 400];

/** The part of the map that a canvas shows: its middle, and how many pixels one unit takes. */
export class View {
  constructor(width, height) {
    Object.assign(this, { width, height, x: 0, y: 0, scale: 100 });
  }

  /** Pixels of a place. The map's y goes up, the canvas's down. */
  toScreen(place) {
    return {
      x: this.width / 2 + (place.x - this.x) * this.scale,
      y: this.height / 2 - (place.y - this.y) * this.scale,
    };
  }

  toMap(x, y) {
    return {
      x: this.x + (x - this.width / 2) / this.scale,
      y: this.y - (y - this.height / 2) / this.scale,
    };
  }

  /** left, bottom, right, top; `margin` as a share of what is seen. */
  box(margin = 0) {
    const half = 0.5 + margin;
    const dx = (this.width / this.scale) * half;
    const dy = (this.height / this.scale) * half;
    return [this.x - dx, this.y - dy, this.x + dx, this.y + dy];
  }

  moveBy(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
  }

  /** Go nearer by a factor; what lies at these pixels stays there. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const kept = this.toMap(x, y);
    this.scale = Math.min(NEAREST, Math.max(FARTHEST, this.scale * factor));
    const now = this.toMap(x, y);
    this.x += kept.x - now.x;
    this.y += kept.y - now.y;
  }

  /** Show all of these places, with room around them. */
  fit(places) {
    if (!places.length) return;
    const xs = places.map((one) => one.x);
    const ys = places.map((one) => one.y);
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    const [bottom, top] = [Math.min(...ys), Math.max(...ys)];
    this.x = (left + right) / 2;
    this.y = (bottom + top) / 2;
    const room = 0.86;
    this.scale = Math.min(
      (room * this.width) / Math.max(right - left, 0.1),
      (room * this.height) / Math.max(top - bottom, 0.1),
      FIRST,
    );
  }

  /** Whether the place is well within what is seen. */
  shows(place) {
    const at = this.toScreen(place);
    const edge = 24;
    return (
      at.x > edge && at.y > edge && at.x < this.width - edge && at.y < this.height - edge
    );
  }
}

/** The point nearest to these pixels, if it is within reach; null otherwise. */
export function pointAt(view, points, x, y, reach) {
  let best = null;
  let least = reach * reach;
  for (const point of points) {
    const at = view.toScreen(point);
    const far = (at.x - x) ** 2 + (at.y - y) ** 2;
    if (far <= least) [best, least] = [point, far];
  }
  return best;
}

/** The points nearest to a place, nearest first. */
export function nearestTo(points, place, count) {
  return points
    .map((point) => ({ point, far: (point.x - place.x) ** 2 + (point.y - place.y) ** 2 }))
    .sort((a, b) => a.far - b.far)
    .slice(0, count)
    .map((one) => one.point);
}

/** The next point in a direction (1, 0 is right; 0, 1 is up): near, and not far aside. */
export function nextTowards(points, from, dx, dy) {
  let best = null;
  let least = Infinity;
  for (const point of points) {
    const ahead = (point.x - from.x) * dx + (point.y - from.y) * dy;
    const aside = Math.abs((point.x - from.x) * dy - (point.y - from.y) * dx);
    if (point.id === from.id || ahead <= 0 || aside > 2 * ahead) continue;
    const cost = ahead + 2 * aside;
    if (cost < least) [best, least] = [point, cost];
  }
  return best;
}
