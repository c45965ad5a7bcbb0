/** The mixer's keyboard. Fields keep their own keys, and so do buttons what presses them. */

const STEP_S = 5;
const TYPES = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]";

/**
 * @param {{player: import("./mixer_player.js").MixPlayer, loop: import("./mixer_loop.js").Loop,
 *          playOrPause: () => void, press: (lane: number, key: "mute" | "solo") => void}} desk
 */
export function startKeys({ player, loop, playOrPause, press }) {
  const move = (seconds) => player.seek(player.position + seconds);
  const byKey = {
    " ": playOrPause,
    ArrowLeft: () => move(-STEP_S),
    ArrowRight: () => move(STEP_S),
    Home: () => player.seek(0),
    l: () => loop.flip(),
    "[": () => loop.startHere(),
    "]": () => loop.endHere(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (target.closest?.(TYPES) || target.closest?.("dialog")) return;
    if (event.key === " " && target.closest?.("button, summary, a, [type=checkbox], [type=radio]")) return;
    // By place on the keyboard: with Shift a digit is another sign in every language.
    const digit = /^(?:Digit|Numpad)([1-6])$/.exec(event.code)?.[1];
    const act = byKey[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (digit && !event.repeat) press(Number(digit) - 1, event.shiftKey ? "solo" : "mute");
    else if (act && !(event.repeat && /^[ l[\]]$/i.test(event.key))) act();
    else return;
    event.preventDefault();
  });
}
