/**
 * The upload page: many files and folders at once by the tus protocol, three at a time.
 *
 * What a file is, the server finds out. A broken connection goes on where it stopped; after a reload
 * the same file, chosen again, does so too: tus-js-client keeps its address in localStorage.
 */
import { csrfToken } from "./csrf.js";

const PARALLEL = 3;
const RETRY_DELAYS_MS = [0, 1000, 3000, 5000, 10000, 20000];
const NOT_SOUND = /(^\.|^thumbs\.db$|^desktop\.ini$|\.(jpe?g|png|gif|webp|bmp|txt|pdf|cue|log|m3u8?|nfo|zip|html?|ini|db)$)/i;
const WORTH_RETRYING = new Set(["internal", "storage_full", "over_quota", "lost"]);

const config = JSON.parse(document.getElementById("upload-config").textContent);
const root = document.getElementById("uploader");
const part = (name) => root.querySelector(`[data-${name}]`);
const items = [];
let live = "";

/** One file on its way. state: waiting, sending, done, failed, cancelled. */
class Item {
  constructor(file, folder) {
    this.file = file;
    this.folder = folder;
    this.reference = part("reference")?.checked ? "1" : "";
    this.sent = 0;
    this.row = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
    const find = (selector) => this.row.querySelector(selector);
    this.bar = find("progress");
    this.note = find("[data-note]");
    this.retryButton = find("[data-retry]");
    this.cancelButton = find("[data-cancel]");
    this.openLink = find("[data-open]");
    find("[data-name]").textContent = folder ? `${folder}/${file.name}` : file.name;
    this.bar.setAttribute("aria-label", file.name);
    this.cancelButton.setAttribute("aria-label", `Cancel ${file.name}`);
    this.retryButton.setAttribute("aria-label", `Retry ${file.name}`);
    this.openLink.setAttribute("aria-label", `Open ${file.name}`);
    this.cancelButton.addEventListener("click", () => this.cancel());
    this.retryButton.addEventListener("click", () => this.queue());
    part("list").append(this.row);
    this.queue();
  }

  get key() {
    const { name, size, lastModified } = this.file;
    return ["svp", config.endpoint, config.track, config.album, this.reference, this.folder, name, size, lastModified].join("|");
  }

  show(state, text) {
    this.state = state;
    this.note.textContent = text;
    this.row.classList.toggle("is-failed", state === "failed");
    this.row.dataset.state = state;
    this.bar.hidden = state === "failed" || state === "cancelled" || state === "done";
    this.cancelButton.hidden = !["waiting", "sending"].includes(state);
    if (state !== "failed" && state !== "cancelled") this.retryButton.hidden = true;
    total();
  }

  queue() {
    this.sent = 0;
    this.bar.value = 0;
    this.show("waiting", "Waiting");
    pump();
  }

  async start() {
    this.show("sending", "Starting");
    this.upload = new tus.Upload(this.file, {
      endpoint: config.endpoint,
      chunkSize: config.chunkBytes,
      retryDelays: RETRY_DELAYS_MS,
      removeFingerprintOnSuccess: true,
      fingerprint: async () => this.key,
      metadata: {
        filename: this.file.name,
        folder: this.folder,
        track: config.track,
        album: config.album,
        note: part("version-note")?.value ?? "",
        reference: this.reference,
      },
      onBeforeRequest: (request) => request.setHeader("X-CSRFToken", csrfToken()),
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        if (status === 0) this.note.textContent = "The connection broke. Trying again …";
        return status === 0 || status === 409 || status === 423 || (status >= 500 && status !== 507);
      },
      onProgress: (sent, size) => {
        this.sent = sent;
        this.bar.value = size ? (100 * sent) / size : 0;
        this.note.textContent = sent < size ? `${megabytes(sent)} of ${megabytes(size)}` : "Checking the file …";
        total();
      },
      onSuccess: ({ lastResponse }) => this.finish(lastResponse),
      onError: (error) => this.fail(error),
    });
    const previous = await this.upload.findPreviousUploads();
    if (this.state !== "sending") return;
    if (previous.length) this.upload.resumeFromPreviousUpload(previous[0]);
    this.upload.start();
  }

  finish(response) {
    this.sent = this.file.size;
    const wait = response?.getHeader("Upload-Wait");
    if (wait) {
      this.show("done", wait);
      say(`${this.file.name}: ${wait}`);
      pump();
      return;
    }
    this.link(response?.getHeader("Upload-Result"));
    this.show("done", "In your library");
    say(`${this.file.name} is in your library.`);
    pump();
  }

  fail(error) {
    const response = error.originalResponse;
    const status = response?.getStatus() ?? 0;
    const problem = problemOf(response);
    if (status === 429) {
      const seconds = Number(response.getHeader("Retry-After")) || 60;
      const wait = seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
      this.show("waiting", `${problem.detail ?? "Too many requests at once."} Goes on in ${wait}.`);
      this.pausedUntil = Date.now() + seconds * 1000;
      setTimeout(pump, seconds * 1000 + 100);
      return;
    }
    let text = problem.detail;
    if (!text) {
      text = status === 0
        ? "The connection is gone. What has arrived is kept; retry when you are online again."
        : status === 403
          ? "Your session has changed. Reload this page, then choose the file again: it goes on where it stopped."
          : "The server could not take this file just now. Retry in a moment.";
    }
    this.offline = status === 0;
    this.retryButton.hidden = Boolean(problem.code) && !WORTH_RETRYING.has(problem.code);
    this.link(problem.url);
    this.show("failed", text);
    say(`${this.file.name}: ${text}`);
    pump();
  }

  async cancel() {
    const sending = this.state === "sending";
    this.show("cancelled", "Cancelled");
    this.retryButton.hidden = false;
    if (sending && this.upload) {
      try {
        await this.upload.abort(true);
      } catch (error) {
        console.warn("the server was not told of the cancelled upload", error);
      }
    }
    pump();
  }

  link(url) {
    if (!url) return;
    this.openLink.href = url;
    this.openLink.hidden = false;
  }
}

function problemOf(response) {
  try {
    return JSON.parse(response?.getBody() || "{}");
  } catch {
    return {};
  }
}

/** In the same units as the server's own sizes. */
function megabytes(bytes) {
  return bytes < 1024 ** 2 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

/** Start as many waiting files as there is room for. */
function pump() {
  const now = Date.now();
  let room = PARALLEL - items.filter((item) => item.state === "sending").length;
  for (const item of items) {
    if (room <= 0) break;
    if (item.state === "waiting" && !(item.pausedUntil > now)) {
      room -= 1;
      item.start();
    }
  }
  total();
  if (items.length && !underWay().length) refreshRecent();
}

const underWay = () => items.filter((item) => item.state === "waiting" || item.state === "sending");

function total() {
  const counted = items.filter((item) => item.state !== "cancelled");
  part("total").hidden = counted.length === 0;
  const bytes = counted.reduce((sum, item) => sum + item.file.size, 0);
  const sent = counted.reduce((sum, item) => sum + (item.state === "failed" ? item.file.size : item.sent), 0);
  const done = counted.filter((item) => item.state === "done").length;
  const failed = counted.filter((item) => item.state === "failed").length;
  part("total-bar").value = bytes ? (100 * sent) / bytes : 0;
  let text = `${done} of ${counted.length} file${counted.length === 1 ? "" : "s"} done`;
  if (failed) text += `, ${failed} not taken`;
  part("total-text").textContent = text;
  part("cancel-all").hidden = !underWay().length;
}

/** Screen readers hear the latest news, not every one of a hundred. */
function say(text) {
  live = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => {
    const left = underWay().length;
    part("live").textContent = left ? `${live} ${left} to go.` : live;
  }, 600);
}

let refreshing = 0;
function refreshRecent() {
  clearTimeout(refreshing);
  refreshing = setTimeout(() => {
    window.htmx?.ajax("GET", config.recent + location.search, {
      target: "#recent-uploads",
      swap: "outerHTML",
    });
  }, 300);
}

/** found: [{file, folder}]; a folder makes an album only if it holds more than one file. */
function add(found) {
  const perFolder = new Map();
  for (const { folder } of found) perFolder.set(folder, (perFolder.get(folder) ?? 0) + 1);
  const known = new Set(underWay().map((item) => item.key));
  for (const { file, folder } of found) {
    const reference = part("reference")?.checked ? "1" : "";
    const item = { file, reference, folder: folder && perFolder.get(folder) > 1 ? folder : "" };
    const key = Object.getOwnPropertyDescriptor(Item.prototype, "key").get.call(item);
    if (!known.has(key)) items.push(new Item(item.file, item.folder));
  }
  pump();
}

const fromInput = (input) =>
  [...input.files].map((file) => {
    const path = file.webkitRelativePath;
    return { file, folder: path ? path.slice(0, path.lastIndexOf("/")) : "" };
  });

/** Files below a dropped entry. */
async function walk(entry, folder) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, folder }];
  }
  const reader = entry.createReader();
  const inside = folder ? `${folder}/${entry.name}` : entry.name;
  const found = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return found;
    for (const child of batch) found.push(...(await walk(child, inside)));
  }
}

/** A folder's pictures and lists are left alone; a single file is always tried. */
const withoutOthers = (found) => found.filter(({ file, folder }) => !folder || !NOT_SOUND.test(file.name));

async function dropped(event) {
  event.preventDefault();
  part("dropzone").classList.remove("is-over");
  const entries = [...event.dataTransfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = [];
  for (const entry of entries) {
    if (!entry) continue;
    try {
      found.push(...(entry instanceof File ? [{ file: entry, folder: "" }] : await walk(entry, "")));
    } catch (error) {
      say(`${entry.name} could not be read: ${error.message}`);
    }
  }
  add(config.track ? found.slice(0, 1) : withoutOthers(found));
}

function connect() {
  root.hidden = false;
  document.getElementById("upload-form").hidden = true;
  const zone = part("dropzone");
  for (const [button, input] of [["choose-files", "files"], ["choose-folder", "folder"]]) {
    part(button)?.addEventListener("click", () => part(input).click());
    part(input).addEventListener("change", () => {
      add(withoutOthers(fromInput(part(input))));
      part(input).value = "";
    });
  }
  // The whole page takes drops: a file that misses the box must not replace the page.
  window.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.add("is-over");
  });
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("is-over");
  });
  window.addEventListener("drop", dropped);
  window.addEventListener("beforeunload", (event) => {
    if (underWay().length) event.preventDefault();
  });
  window.addEventListener("online", () => {
    for (const item of items) if (item.state === "failed" && item.offline) item.queue();
  });
  part("cancel-all").addEventListener("click", () => {
    for (const item of underWay()) item.cancel();
  });
}

if (window.tus?.isSupported) connect();
