/** Labelling: a clip sounds, keys answer, the next one sounds. */
import { Clips } from "./labelling_clips.js";
import { Desk, newId, Stopwatch } from "./labelling_desk.js";
import { startKeys } from "./labelling_keys.js";
import { Outbox } from "./labelling_outbox.js";
import { Pace } from "./labelling_pace.js";
import { get, Later } from "./labelling_requests.js";
import { LoopedClip } from "./labelling_sound.js";
import { Tags } from "./labelling_tags.js";
import { Stage } from "./labelling_stage.js";

const SEEK_S = 0.5;

const root = document.getElementById("labelling");
if (root) start(root);

function start(page) {
  const { dataset } = page;
  const sound = new LoopedClip();
  const stage = new Stage(page, sound);
  const say = (text) => stage.say(text);
  const tags = new Tags(page, say);
  const desk = new Desk();
  const pace = new Pace(page);
  const watch = new Stopwatch();
  let hasStarted = false;
  let isGoingBack = false;

  const clips = new Clips(
    { next: dataset.next, hold: dataset.hold, release: dataset.release },
    sound,
    {
      arrived: () => hasStarted && !desk.current && goOn(),
      none: () => !desk.current && stage.showNothing(),
      trouble: (reason) => stage.trouble("clips", reason),
      left: (count) => pace.left(count),
      inHand: () => desk.inHand(),
      unsent: () => outbox.clips(),
    },
  );
  const outbox = new Outbox(dataset.user, {
    stored: (item, { guess }) => guess && stage.showGuess(tags, guess, item.body.votes),
    refused({ clip }, why) {
      stage.note(why.message);
      say(why.message);
      if (why.code !== "answered") desk.drop(clip);
    },
    changed: (waiting, reason) => stage.sending(waiting, reason),
  });

  function show(entry, words = "") {
    desk.current = entry;
    stage.show(entry);
    tags.votes = entry.votes;
    sound.play(entry.sound);
    watch.restart();
    const answers = tags.told(entry.votes);
    const before = entry.ballot ? `, answered before${answers ? `: ${answers}` : ": skipped"}` : "";
    say(`${words}Clip ${entry.number}${before}.`);
  }

  /** The clip that was put aside, or the next one. */
  function goOn(words = "") {
    const aside = desk.current;
    if (aside) return show(aside, words);
    const loaded = clips.take();
    if (loaded) {
      return show({ ...loaded, ballot: null, votes: {}, number: pace.session + 1 }, words);
    }
    sound.clear();
    stage.showWaiting();
    return say(`${words}The next clip is on its way.`);
  }

  function submit(isRestNo = false) {
    const entry = desk.current;
    if (!entry) return;
    if (isRestNo) tags.closeRest();
    const { votes } = tags;
    if (!Object.keys(votes).length) {
      stage.note("Answer at least one tag, or skip the clip.");
      say("Nothing is answered yet: answer at least one tag, or skip the clip.");
      return;
    }
    send(entry, { votes, skipped: false }, "Sent. ");
  }

  function skip() {
    const entry = desk.current;
    if (!entry) return;
    if (entry.ballot) {
      desk.answered();
      goOn("Left as it was. ");
    } else {
      send(entry, { votes: {}, skipped: true }, "Skipped. ");
    }
  }

  function send(entry, answers, words) {
    const seconds = Math.round(watch.seconds * 100) / 100;
    const isNew = !entry.ballot;
    const body = { ...answers, seconds, guess: stage.option("guess") };
    entry.ballot ??= newId();
    Object.assign(entry, answers);
    // First, so that the request for another clip does not get this one again.
    const clip = entry.clip.id;
    if (isNew) outbox.add({ address: dataset.ballots, clip, body: { ...body, ballot: entry.ballot, clip } });
    else outbox.add({ address: `${dataset.ballots}${entry.ballot}/change/`, clip, body });
    if (isNew && !answers.skipped) pace.count(seconds);
    desk.answered();
    goOn(words);
  }

  /** The answer before the one in front: the page's own, or one that the server remembers. */
  async function earlier() {
    const known = desk.past.pop();
    if (known) return known;
    if (isGoingBack) return null;
    isGoingBack = true;
    try {
      const after = desk.oldestBallot;
      const { ballot } = await get(`${dataset.ballots}before/${after ? `?ballot=${after}` : ""}`);
      if (!ballot) {
        say("There is no earlier answer.");
        stage.note("There is no earlier answer.");
        return null;
      }
      return await loadedBallot(ballot);
    } catch (why) {
      stage.note(why instanceof Later ? "Earlier answers cannot be reached now." : why.message);
      return null;
    } finally {
      isGoingBack = false;
    }
  }

  async function loadedBallot({ id, clip, votes, skipped }) {
    return { ...(await clips.load(clip)), ballot: id, votes, skipped, number: "before" };
  }

  async function back() {
    if (desk.current && !desk.current.ballot) desk.current.votes = tags.votes;
    const entry = await earlier();
    if (!entry) return;
    desk.open(entry);
    show(entry, "Back. ");
  }

  async function undo() {
    const isOpen = Boolean(desk.current?.ballot);
    if (desk.current && !isOpen) desk.current.votes = tags.votes;
    const entry = isOpen ? desk.current : await earlier();
    if (!entry) return;
    const address = `${dataset.ballots}${entry.ballot}/undo/`;
    if (!entry.skipped) pace.uncount();
    entry.takenBack = entry.ballot;
    entry.ballot = null;
    if (!isOpen) desk.open(entry);
    show(entry, "Taken back. ");
    outbox.add({ address, clip: entry.clip.id, body: {} });
  }

  function flip() {
    sound.flip();
    stage.drawPlaying();
    say(sound.isPlaying ? "Playing" : "Paused");
  }

  const acts = {
    play: flip,
    replay: () => (sound.from(0), stage.drawPlaying()),
    earlier: () => sound.from(sound.position - SEEK_S),
    later: () => sound.from(sound.position + SEEK_S),
    submit: () => submit(),
    submitRest: () => submit(true),
    skip,
    back,
    undo,
    rest: () => say(tags.closeRest() ? "The rest: no" : "No tag was open"),
    guidelines: () => stage.open("labelling-guidelines", tags.focused),
    help: () => stage.open("labelling-help"),
  };
  for (const button of page.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => hasStarted && acts[button.dataset.do]());
  }
  startKeys({
    do: acts,
    tags,
    lettersWork: () => stage.option("letters"),
    hasStarted: () => hasStarted,
  });
  stage.onSeek((seconds) => (sound.from(seconds), stage.drawPlaying()));

  stage.onStart(async () => {
    sound.unlock();
    hasStarted = true;
    const wanted = new URLSearchParams(location.search).get("ballot");
    if (wanted) {
      history.replaceState(null, "", location.pathname);
      try {
        const { ballot } = await get(`${dataset.ballots}${encodeURIComponent(wanted)}/`);
        show(await loadedBallot(ballot));
        return;
      } catch {
        stage.note("That answer cannot be opened any more.");
      }
    }
    goOn();
  });

  keepLocks();
  clips.fill();
  outbox.pump();

  /** Clips stay locked as long as somebody is there, and go back when she leaves. */
  function keepLocks() {
    const lockMs = 1000 * Number(dataset.lockSeconds);
    let lastSignMs = performance.now();
    const sign = () => {
      const wasAway = performance.now() - lastSignMs > lockMs / 4;
      lastSignMs = performance.now();
      if (wasAway) hold();
    };
    for (const name of ["keydown", "pointerdown"]) document.addEventListener(name, sign, true);
    setInterval(() => {
      if (performance.now() - lastSignMs < lockMs) hold();
    }, Math.max(5_000, lockMs / 4));
    async function hold() {
      const lost = await clips.hold().catch(() => []);
      for (const id of lost) desk.drop(id);
      if (desk.current && !desk.current.ballot && lost.includes(desk.current.clip.id)) {
        stage.note("Your time with that clip ran out, and somebody else has it now.");
        desk.goOn();
        goOn("That clip is somebody else’s now. ");
      }
    }
    window.addEventListener("pagehide", () => clips.leave());
    // Back from the browser's memory: what was locked has been given back.
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
  }
}
