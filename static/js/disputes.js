/** Disputed clips by keyboard: j and k go from question to question, space plays, y, n, t decide. */
import { onlyOne } from "./player.js";

const ANSWERS = { y: "yes", n: "no", t: "unsure" };
const list = document.querySelector("[data-disputes]");
if (list) start(list);

function start(root) {
  document.querySelector("[data-keys-note]").hidden = false;
  for (const audio of root.querySelectorAll("audio")) onlyOne(audio);
  let current = -1;
  const questions = () => [...root.querySelectorAll("[data-question]")];

  function go(to) {
    const all = questions();
    current = Math.min(Math.max(to, 0), all.length - 1);
    all[current]?.focus();
    all[current]?.closest("li").scrollIntoView({ block: "nearest" });
  }

  root.addEventListener("focusin", (event) => {
    const question = event.target.closest("[data-question]");
    if (question) current = questions().indexOf(question);
  });

  // The decided question comes back anew, without focus: whoever works by keyboard stays there.
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (root.contains(event.detail.elt) || event.detail.elt === root) go(current);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, audio, summary")) return;
    const key = event.key.toLowerCase();
    if (key === "j" || key === "k") {
      event.preventDefault();
      go(current + (key === "j" ? 1 : -1));
      return;
    }
    const question = questions()[current];
    if (!question) return;
    if (key === " " && !event.target.closest("button, a")) {
      event.preventDefault();
      const audio = question.closest("li").querySelector("audio");
      if (audio.paused) audio.play().catch(() => {});
      else audio.pause();
    } else if (key in ANSWERS) {
      event.preventDefault();
      question.querySelector(`[data-answer="${ANSWERS[key]}"]`).click();
    }
  });
}
