"""From labels to a model that serves, by a scripted admin in a real browser.

``python -m tests.label_loop [--real] [--singers 6 4 --each 6]`` starts the whole product with a
database of its own, makes the whole journey and prints what it took; ``--real`` labels changed
recordings of real singers (../shared/data) instead of made voices. ``tests/e2e`` makes the same
journey. What is true of each clip is known (:mod:`tests.label_loop_seed`).
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Page, expect, sync_playwright

from tests.label_loop_seed import NEW_TAG, TAGS, seed_in
from tests.stack import Stack

CLIP = "[data-picture]"
_STORED = "!Object.keys(localStorage).some((key) => /^labelling:\\d+:/.test(key))"
_LONG_MS = 600_000
T = TypeVar("T")


class Loop:
    """The journey, step by step; ``seeded`` is what :func:`tests.label_loop_seed.seed_in` made."""

    def __init__(self, page: Page, site: Stack, seeded: dict[str, Any]) -> None:
        self.page = page
        self.site = site
        self.seeded = seeded
        page.context.add_cookies(seeded["cookies"])

    def hear_the_song(self) -> dict[str, int]:
        """Have the version that serves listen to the song's voice; returns its tags in per cent."""
        self.page.goto(self._voice_url)
        self.page.get_by_role("button", name="Listen to the voice").click()
        expect(self.page.locator("#tags")).to_be_visible(timeout=_LONG_MS)
        return self.tags_shown()

    def label(self) -> float:
        """Label every clip by keyboard, as it truly is; returns the seconds each one took."""
        self.page.goto(f"{self.site.url}/labels/work/")
        expect(self.page.locator("[data-start]")).to_be_focused()
        self.page.keyboard.press("Enter")
        expect(self.page.locator(CLIP)).to_be_visible()
        began = time.perf_counter()
        left = dict(self.seeded["truth"])
        while left:
            clip = self.page.locator(CLIP).get_attribute("data-clip") or ""
            for tag, is_true in left.pop(clip).items():
                key = self.seeded["keys"][tag]
                self.page.keyboard.press(key if is_true else f"Shift+{key.upper()}")
            self.page.keyboard.press("Enter")
            if left:
                expect(self.page.locator(CLIP)).not_to_have_attribute("data-clip", clip)
        self._until(lambda: self.page.evaluate(_STORED), "the last answers are stored")
        return (time.perf_counter() - began) / len(self.seeded["truth"])

    def train(self) -> None:
        """From the models' page to a finished training, with its curves."""
        page = self.page
        page.goto(f"{self.site.url}/models/")
        page.get_by_role("link", name="Vocal timbre").click()
        page.get_by_role("link", name="Train", exact=True).click()
        expect(page.locator("main")).to_contain_text("New to the model")
        page.get_by_role("button", name="Start training").click()
        page.wait_for_url("**/models/runs/**")
        # It comes to its end by itself, without a reload by the admin.
        expect(page.locator("#state-title")).to_have_text("Done", timeout=_LONG_MS)
        expect(page.locator(".training-curve__dot").first).to_be_visible()

    def compare_and_promote(self) -> str:
        """Read the comparison, and promote the candidate by a click; returns its version."""
        page = self.page
        page.get_by_role("link", name="Look at the comparison").click()
        expect(page.locator("#verdict-title")).to_have_text("Better")
        page.get_by_role("button", name=re.compile("^Promote ")).click()
        page.wait_for_url("**/models/timbre/")
        expect(page.locator("main")).to_contain_text("serves from now on")
        row = page.locator("tr", has=page.locator(".badge--accent", has_text="Serves"))
        return row.locator("a").first.inner_text()

    def roll_back(self) -> None:
        """One click back."""
        page = self.page
        page.goto(f"{self.site.url}/models/timbre/")
        summary = page.locator("summary", has_text="Go back to")
        summary.click()
        page.get_by_role("button", name=re.compile("^Go back to ")).click()
        expect(page.locator("main")).to_contain_text("serves again, with the tags it had given")

    def tags_shown(self) -> dict[str, int]:
        """The song's tags in per cent, as its page shows them; they are never missing."""
        self.page.goto(self._voice_url)
        expect(self.page.locator("#tags")).to_be_visible()
        return {
            row.locator("h3").inner_text().lower(): int(
                row.locator("p .strong").first.inner_text().rstrip(" %")
            )
            for row in self.page.locator(".voice-tag").all()
        }

    def tags_until(
        self, is_there: Callable[[dict[str, int]], bool], *, before: dict[str, int]
    ) -> dict[str, int]:
        """Look at the song's page until it shows what is waited for: until then it shows the tags
        of before, whole and unchanged."""
        shown: dict[str, int] = {}

        def look() -> bool:
            shown.clear()
            shown.update(self.tags_shown())
            if not is_there(shown):
                assert shown == before
                return False
            return True

        self._until(look, "the song shows the other version's tags", every_s=1.0)
        return shown

    def comparison(self) -> dict[str, Any]:
        """The figures of the newest comparison."""
        found: dict[str, Any] = self.site.ask(
            "SELECT figures FROM analysis_modelcomparison ORDER BY created_at DESC LIMIT 1"
        )
        return found

    @property
    def _voice_url(self) -> str:
        return f"{self.site.url}/tracks/{self.seeded['track']}/voice/"

    def _until(self, done: Callable[[], bool], what: str, *, every_s: float = 0.1) -> None:
        deadline = time.monotonic() + _LONG_MS / 1_000
        while not done():
            assert time.monotonic() < deadline, f"still not so: {what}"
            self.page.wait_for_timeout(1_000 * every_s)


def main() -> None:
    """Make the journey, and print what it took and came to."""
    from tests.e2e.conftest import CHROMIUM, FLAGS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--singers", type=int, nargs=2, default=(6, 4), metavar=("LEARN", "HELD"))
    parser.add_argument("--each", type=int, default=6, help="clips of each singer")
    parser.add_argument("--real", action="store_true", help="real singers of ../shared/data")
    wanted = parser.parse_args()
    learn, held_out = wanted.singers
    site: Stack | None = None
    with tempfile.TemporaryDirectory(prefix="svp-loop-") as folder, sync_playwright() as playwright:
        try:
            site = Stack(Path(folder) / "data")
            site.start()
            site.wait_ready(seconds=600)
            seeded = seed_in(
                site, learn=learn, held_out=held_out, each=wanted.each, are_real=wanted.real
            )
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(60_000)
            expect.set_options(timeout=60_000)
            _journey(Loop(page, site, seeded))
            browser.close()
        finally:
            if site is not None:
                site.end()


def _journey(loop: Loop) -> None:
    old = _timed("song heard by the version that serves", loop.hear_the_song)
    each_s = _timed(f"{len(loop.seeded['truth'])} clips labelled by keyboard", loop.label)
    _say(f"           {each_s:.2f} s a clip")
    _timed("training, comparison included", loop.train)
    figures = loop.comparison()
    overall = figures["overall"]
    for name in ("average_precision", "cross_entropy"):
        one = overall[name]
        _say(
            f"{name:<20}{one['baseline']['value']:.3f} -> {one['candidate']['value']:.3f}, "
            f"difference {one['difference']['low']:+.3f} to {one['difference']['high']:+.3f}"
        )
    new = figures["only_candidate"].get(NEW_TAG)
    if new:
        _say(f"{NEW_TAG:<20}average precision {new['average_precision']['value']:.3f}")
    _say(f"verdict             {figures['verdict']}, {figures['clips']} held-out clips")
    loop.compare_and_promote()
    new_tags = _timed(
        "promoted; the song tagged anew",
        lambda: loop.tags_until(lambda shown: NEW_TAG in shown, before=old),
    )
    loop.roll_back()
    back = _timed("gone back", lambda: loop.tags_until(lambda shown: shown == old, before=new_tags))
    for title, tags in (("before", old), ("promoted", new_tags), ("gone back", back)):
        _say(f"{title:<12}" + ", ".join(f"{tag} {value} %" for tag, value in tags.items()))
    _say(f"true of the song: {NEW_TAG}, and none of {', '.join(t for t in TAGS if t != NEW_TAG)}")


def _timed(what: str, do: Callable[[], T]) -> T:
    began = time.perf_counter()
    result = do()
    _say(f"{time.perf_counter() - began:7.1f} s  {what}")
    return result


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
