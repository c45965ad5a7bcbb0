"""Following, editing, importing and saving the lyrics of a song, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from analysis.lyrics_document import TimedLine, words_for
from analysis.lyrics_formats import SongNames, to_vtt
from tests.e2e.test_journey import eventually, heard_song, open_report
from tests.stack import Stack

LRC = """[00:01.00]First things <first> & last
[00:03.00]the second one
[00:05.50]
[00:14.00]after a long rest
[00:16.00]
"""


@pytest.fixture(scope="module")
def lyrics_url(browser, live_site: Stack, tmp_path_factory) -> tuple[str, dict]:
    """The lyrics of a song whose artist brought them with their times: (address, session)."""
    path = tmp_path_factory.mktemp("lrc") / "song.lrc"
    path.write_text(LRC)
    with heard_song(browser, live_site) as page:
        page.locator(".tabs").get_by_role("link", name="Lyrics").click()
        expect(page.get_by_role("heading", name="No lyrics yet")).to_be_visible()
        page.get_by_text("Bring your own text").click()
        page.locator("#import input[type=file]").set_input_files(path)
        page.get_by_label("Keep the times of the file").check()
        page.get_by_role("button", name="Take this text").click()
        expect(page.locator(".lyrics__line")).to_have_count(3)
        return page.url, page.context.storage_state()


@pytest.fixture
def lyrics(lyrics_url, page: Page) -> Page:
    return open_report(page, lyrics_url)


def test_the_words_follow_the_song_until_somebody_scrolls(lyrics: Page):
    lines = lyrics.locator(".lyrics__line")
    expect(lines.nth(0)).to_have_text("First things <first> & last")
    expect(lyrics.locator(".lyrics__rest")).to_have_count(1)
    lyrics.locator(".lyrics__word", has_text="the second one").click()
    eventually(lyrics, "document.querySelector('audio').currentTime > 3.2")
    expect(lines.nth(1)).to_have_class(re.compile("is-current"))
    expect(lines.nth(0)).to_have_class(re.compile("is-past"))
    expect(lyrics.locator(".lyrics__word.is-now, .lyrics__word.is-sung")).to_have_count(1)

    follow = lyrics.get_by_role("button", name="Follow the song")
    expect(follow).to_be_hidden()
    lyrics.locator("[data-panel]").hover()
    lyrics.mouse.wheel(0, 40)
    expect(follow).to_be_visible()
    follow.click()
    expect(follow).to_be_hidden()

    lyrics.get_by_role("button", name="Pause").click()
    lines.nth(1).locator("button").focus()
    lyrics.keyboard.press("ArrowDown")
    lyrics.keyboard.press("Enter")
    eventually(lyrics, "document.querySelector('audio').currentTime >= 14")


def test_lines_are_edited_and_saved(lyrics: Page):
    lyrics.get_by_role("button", name="Edit", exact=True).click()
    rows = lyrics.locator(".editor__line")
    expect(rows).to_have_count(3)
    text = rows.nth(0).get_by_label("Text of line 1")
    text.click()
    text.evaluate("(field) => field.setSelectionRange(12, 12)")
    lyrics.keyboard.press("Enter")
    expect(rows).to_have_count(4)
    expect(rows.nth(1).get_by_label("Text of line 2")).to_have_value("<first> & last")
    lyrics.keyboard.press("Escape")
    lyrics.keyboard.press(".")
    expect(rows.nth(1).get_by_label("Start of line 2")).to_have_value("0:01.97")
    lyrics.keyboard.press("Control+z")
    expect(rows.nth(1).get_by_label("Start of line 2")).to_have_value("0:01.92")
    lyrics.keyboard.press("m")
    expect(rows).to_have_count(3)
    lyrics.keyboard.press("Control+z")
    lyrics.keyboard.press("Control+z")
    expect(rows).to_have_count(3)
    expect(rows.nth(0).get_by_label("Text of line 1")).to_have_value("First things <first> & last")

    # The start of a line is set to where the song is.
    rows.nth(2).click()
    lyrics.evaluate("document.querySelector('audio').currentTime = 12.5")
    lyrics.keyboard.press("t")
    expect(rows.nth(2).get_by_label("Start of line 3")).to_have_value("0:12.50")

    # What is wrong is said by line, and nothing is lost.
    rows.nth(1).get_by_label("Text of line 2").fill("")
    lyrics.keyboard.press("Control+s")
    errors = lyrics.locator("[data-errors]")
    expect(errors).to_contain_text("Line 2: It has no text.")
    unsaved = "(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })))()"
    assert lyrics.evaluate(unsaved), "leaving is warned of"
    rows.nth(1).get_by_label("Text of line 2").fill("the second line")
    lyrics.keyboard.press("Control+s")
    expect(lyrics.locator("[data-state]")).to_have_text("Saved")
    assert not lyrics.evaluate(unsaved)
    lyrics.get_by_role("button", name="Close").click()
    expect(lyrics.locator(".lyrics__line").nth(1)).to_have_text("the second line")
    expect(lyrics.locator("#versions-title")).to_be_visible()
    lyrics.reload()
    expect(lyrics.locator(".lyrics__line").nth(1)).to_have_text("the second line")


def test_the_browser_reads_the_webvtt(lyrics: Page):
    """The browser's own parser, which is the standard's."""
    lines = [
        TimedLine(
            1.004, 3.5, "a <b>boring</b> room", words_for("a <b>boring</b> room", 1.004, 3.5)
        ),
        TimedLine(3.0, 59.9996, "two & three --> four", ()),
    ]
    found = lyrics.evaluate(
        """async (text) => {
          const track = document.createElement("track");
          track.kind = "subtitles";
          track.src = URL.createObjectURL(new Blob([text], { type: "text/vtt" }));
          const video = document.createElement("video");
          video.append(track);
          document.body.append(video);
          track.track.mode = "hidden";
          await new Promise((done, failed) => { track.onload = done; track.onerror = failed; });
          return [...track.track.cues].map((cue) => {
            const shown = cue.getCueAsHTML();
            const times = [...shown.childNodes].filter((node) => node.target === "timestamp");
            return [cue.startTime, cue.endTime, shown.textContent, times.map((node) => node.data)];
          });
        }""",
        to_vtt(lines, SongNames(title="A --> B", artist="C")),
    )
    assert found == [
        [1.004, 3.5, "a <b>boring</b> room", ["00:00:01.143", "00:00:02.945"]],
        [3.0, 60.0, "two & three --> four", []],
    ]


@pytest.mark.parametrize(
    "context", [{"viewport": {"width": 390, "height": 800}}], indirect=True, ids=["phone"]
)
def test_it_fits_a_phone(lyrics: Page, tmp_path: Path):
    wide = "document.documentElement.scrollWidth - window.innerWidth"
    assert lyrics.evaluate(wide) <= 0
    lyrics.get_by_role("button", name="Edit", exact=True).click()
    assert lyrics.evaluate(wide) <= 0
    with lyrics.expect_download() as download:
        lyrics.get_by_role("link", name="LRC", exact=True).click()
    download.value.save_as(tmp_path / "song.lrc")
    assert "[00:01.00]First things <first> & last" in (tmp_path / "song.lrc").read_text()
