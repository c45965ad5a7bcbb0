/** The keyboard of the labelling page. Fields and buttons keep the keys that work them. */
const FIELDS = "input:not([type=radio], [type=checkbox]), textarea, select";
const PRESSED = "button, a, summary";

/**
 * @param {{do: Record<string, () => void>, tags: import("./labelling_tags.js").Tags,
 *          lettersWork: () => boolean, hasStarted: () => boolean}} desk
 */
export function startKeys({ do: acts, tags, lettersWork, hasStarted }) {
  const byKey = {
    " ": acts.play,
    p: acts.replay,
    s: acts.skip,
    u: acts.undo,
    Backspace: acts.back,
    "-": acts.rest,
    "/": acts.guidelines,
    "?": acts.help,
    ArrowLeft: acts.earlier,
    ArrowRight: acts.later,
    ArrowUp: () => tags.move(-1),
    ArrowDown: () => tags.move(1),
  };
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest?.(FIELDS)) return;
    if (document.querySelector("dialog[open]")) {
      if (event.key !== "/" && event.key !== "?") return;
      document.querySelector("dialog[open]").close();
      event.preventDefault();
      return;
    }
    if (!hasStarted() || isOwn(event)) return;
    if (event.repeat && !event.key.startsWith("Arrow")) {
      if (event.key !== "Tab") event.preventDefault();
      return;
    }
    const name = nameOf(event);
    if (name === "Enter") {
      (event.shiftKey ? acts.submitRest : acts.submit)();
    } else if (name.length > 1 || name === " ") {
      if (!byKey[name]) return;
      byKey[name]();
    } else {
      if (!lettersWork()) return;
      const act = byKey[name];
      if (act && !(event.shiftKey && /^[psu]$/.test(name))) act();
      else if (!tags.press(event)) return;
    }
    event.preventDefault();
  });
}

/** The key in lower case; under another alphabet, or while one is composed, the letter on it. */
function nameOf({ key, code }) {
  if (key.length === 1 && key <= "~") return key.toLowerCase();
  return /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? key;
}

/** Keys that the focused control needs itself. */
function isOwn({ key, target }) {
  if (target.closest?.(PRESSED)) return key === "Enter" || key === " ";
  if (target.type === "checkbox") return key === " ";
  return target.type === "radio" && (key === " " || key === "ArrowLeft" || key === "ArrowRight");
}
