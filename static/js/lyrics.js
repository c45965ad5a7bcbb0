/** The lyrics page: the words follow the song, and can be edited and saved. */
import { csrfToken } from "./csrf.js";
import { LyricsEditor } from "./lyrics_editor.js";
import { LyricsPlayer } from "./lyrics_player.js";
import { LyricsView } from "./lyrics_view.js";

const data = JSON.parse(document.getElementById("lyrics-data").textContent);
const root = document.getElementById("lyrics");
const editor = root ? start(root) : null;

/** A job is over: load what came of it, unless somebody is writing. */
document.body.addEventListener("lyrics-over", () => {
  if (!editor?.open) location.assign(data.page_url);
});

function start(card) {
  const player = new LyricsPlayer(card, data.duration_s);
  const view = new LyricsView(card, {
    unsureBelow: data.unsure_below,
    jump: (seconds) => {
      view.follow(true);
      player.seek(seconds);
      player.play();
    },
  });
  view.render(data.lines);
  view.show(0);
  player.onMove((now) => view.show(now));

  const editButton = card.querySelector("[data-edit]");
  const reading = [...card.querySelectorAll("[data-view], [data-legend]")];
  const editing = (on) => {
    for (const part of reading) part.hidden = on;
    editButton.hidden = on;
  };
  const lyricsEditor = new LyricsEditor(card.querySelector("[data-editor]"), {
    player,
    duration: data.duration_s,
    save,
    closed: () => {
      editing(false);
      view.show(player.now);
      editButton.focus();
    },
  });
  lyricsEditor.load(data.lines);
  editButton.addEventListener("click", () => {
    editing(true);
    lyricsEditor.start();
  });
  editing(false);

  window.addEventListener("beforeunload", (event) => {
    if (lyricsEditor.dirty) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key !== " ") return;
    const free = event.target === document.body || event.target === document.getElementById("content");
    if (!free) return;
    event.preventDefault();
    player.toggle();
  });

  /** Keep the lines; gives them back as the server keeps them. */
  async function save(lines) {
    let answer;
    try {
      answer = await fetch(data.save_url, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
        body: JSON.stringify({ base: data.number, lines }),
      });
    } catch {
      throw Object.assign(new Error("The connection failed. Nothing is lost: try again."), { errors: [] });
    }
    const kept = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      // Somebody saved meanwhile: they are told, and saving again is then meant so.
      if (answer.status === 409) data.number = kept.number;
      const detail = kept.detail ?? "It could not be saved. Try again, or log in again in another window.";
      throw Object.assign(new Error(detail), { errors: kept.errors ?? [] });
    }
    data.number = kept.number;
    view.render(kept.lines);
    card.querySelector("[data-nothing]")?.remove();
    const origin = card.querySelector("[data-origin]");
    origin.textContent = "Your version";
    origin.classList.add("badge--accent");
    refresh();
    return kept.lines;
  }

  return lyricsEditor;
}

/** Have the rest of the page show that there is a new version. */
async function refresh() {
  const answer = await fetch(data.page_url).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["#lyrics-aside", "[data-legend]"]) {
    const [before, after] = [document, fresh].map((page) => page.querySelector(part));
    if (before && after) before.replaceChildren(...after.childNodes);
  }
  const base = document.querySelector("#import [name=base]");
  if (base) base.value = String(data.number);
}
