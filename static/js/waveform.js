/** Draws a waveform from its peaks, the part already played in the accent colour. */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{min: number[], max: number[]} | null} peaks pairs in -1..1, equally spaced over the track
 * @param {number} share of the track already played, 0..1
 */
export function drawWave(canvas, peaks, share) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d");
  const colours = getComputedStyle(canvas);
  pen.clearRect(0, 0, width, height);
  const middle = height / 2;
  if (!peaks || !peaks.max.length) {
    pen.fillStyle = colours.getPropertyValue("--line-strong");
    pen.fillRect(0, middle, width, ratio);
    return;
  }
  const columns = peaks.max.length;
  const scale = middle * 0.94;
  const edge = share * width;
  const [played, ahead] = ["--accent", "--line-strong"].map((name) => colours.getPropertyValue(name));
  for (let x = 0; x < width; x += 1) {
    const from = Math.floor((x * columns) / width);
    const to = Math.max(from + 1, Math.floor(((x + 1) * columns) / width));
    let low = peaks.min[from];
    let high = peaks.max[from];
    for (let i = from + 1; i < to && i < columns; i += 1) {
      low = Math.min(low, peaks.min[i]);
      high = Math.max(high, peaks.max[i]);
    }
    const top = middle - Math.min(1, high) * scale;
    const bottom = middle - Math.max(-1, low) * scale;
    pen.fillStyle = x < edge ? played : ahead;
    pen.fillRect(x, top, 1, Math.max(ratio, bottom - top));
  }
}
