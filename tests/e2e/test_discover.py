"""Finding, judging and keeping similar songs in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stack import Stack


@pytest.fixture
def discover(context: BrowserContext, page: Page, live_site: Stack, grouped_songs: dict) -> Page:
    """The page of a logged-in artist that starts from the first jazz song."""
    context.add_cookies(grouped_songs["cookies"])
    page.goto(f"{live_site.url}/discover/?add=track-{grouped_songs['tracks']['Group 0 song 0']}")
    expect(page.locator(".hit")).not_to_have_count(0)
    return page


def titles(page: Page) -> list[str]:
    return page.locator(".hit__name p:first-child").all_inner_texts()


def test_near_songs_filters_and_a_sound_that_is_taken_away(discover: Page):
    # The seven others of its group come first, each with words why.
    near = titles(discover)
    assert {title.split(" song ")[0] for title in near[:7]} == {"Group 0"}
    assert "Group 0 song 0" not in near
    expect(discover.locator(".hit").first.locator(".hit__why")).to_contain_text("80 BPM")

    # Filters answer as they are chosen, and the address holds them.
    discover.locator("#filters summary").click()
    discover.get_by_label("Metal", exact=True).check()
    expect(discover.locator(".hit__name").first).to_contain_text("Group 1")
    assert {title.split(" song ")[0] for title in titles(discover)} == {"Group 1"}
    discover.wait_for_url("**genre=metal**")
    discover.reload()
    expect(discover.locator(".hit__name").first).to_contain_text("Group 1")
    discover.get_by_label("Metal", exact=True).uncheck()
    expect(discover.locator(".hit__name").first).to_contain_text("Group 0")

    # A second song is found by its name and taken away.
    discover.get_by_label("Search tracks, albums and artists").fill("Group 2 song 2")
    discover.get_by_label("Take Group 2 song 2 away", exact=True).click()
    expect(discover.locator(".seed--less")).to_contain_text("Group 2 song 2")
    assert len(parse_qs(urlsplit(discover.url).query)["less"]) == 1
    far = titles(discover)
    assert {title.split(" song ")[0] for title in far[:7]} == {"Group 0"}


def test_a_verdict_and_a_playlist_that_can_be_taken_along(discover: Page, tmp_path: Path):
    first = discover.locator(".hit").first
    first.get_by_role("button", name="Similar", exact=True).click()
    pressed = first.get_by_role("button", name="Similar", exact=True, pressed=True)
    expect(pressed).to_be_visible()
    discover.reload()
    expect(pressed).to_be_visible()
    pressed.click()  # the same again takes it back
    expect(pressed).to_have_count(0)

    chosen = titles(discover)[:2]
    for title in chosen:
        discover.get_by_label(f"Tick {title}", exact=True).check()
    discover.locator("#keep-name").fill("Late hours")
    discover.get_by_role("button", name="Add", exact=True).click()
    expect(discover.locator("main")).to_contain_text("Late hours")
    discover.goto(re.sub(r"/discover/.*", "/playlists/", discover.url))
    discover.get_by_role("link", name="Late hours").click()
    expect(discover.get_by_role("heading", level=1)).to_contain_text("Late hours")
    with discover.expect_download() as download:
        discover.get_by_role("link", name=re.compile("M3U")).click()
    file = tmp_path / "list.m3u8"
    download.value.save_as(file)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    named = [line.partition(",")[2] for line in lines if line.startswith("#EXTINF:")]
    assert named == [f"Cartographer - {title}" for title in chosen]


@pytest.mark.parametrize(
    "context", [{"viewport": {"width": 360, "height": 740}, "has_touch": True}], indirect=True
)
def test_on_a_narrow_phone_nothing_is_cut_off(discover: Page, live_site: Stack):
    for place in (
        discover.url,
        f"{live_site.url}/playlists/",
        f"{live_site.url}/discover/map/",
        f"{live_site.url}/developers/",
    ):
        discover.goto(place)
        expect(discover.get_by_role("heading", level=1)).to_be_visible()
        wide = discover.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{place} is {wide} px too wide"
