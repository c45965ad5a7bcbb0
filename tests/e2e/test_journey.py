"""Sign up, upload, read the report, find similar tracks: in a real browser, on the real product."""

from __future__ import annotations

import importlib.util
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.stack import Stack

TRACKS = Path(importlib.util.find_spec("immich_memories_music").origin).parent / "tracks"
SONGS = [
    TRACKS / "happy/happy_acoustic_1.opus",
    TRACKS / "happy/happy_acoustic_2.opus",
    TRACKS / "energetic/energetic_electronic_2.opus",
]
REPORT_MS = 90_000


def sign_up(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/accounts/signup/")
    page.fill("input[name=email]", f"{uuid.uuid4().hex[:8]}@example.com")
    if page.locator("input[name=artist_name]").count():
        page.fill("input[name=artist_name]", "The Journey")
    page.fill("input[name=password1]", "a-long-enough-passphrase")
    page.fill("input[name=password2]", "a-long-enough-passphrase")
    page.click("main button[type=submit]")
    page.wait_for_url("**/library/")


def upload(page: Page, site: Stack, files: list[Path]) -> None:
    """Choose files as the button does, and wait until each is accepted or refused."""
    page.goto(f"{site.url}/upload/")
    page.locator("[data-files]").set_input_files(files)
    rows = page.locator("[data-list] > li")
    expect(rows).to_have_count(len(files))
    ended = page.locator("[data-list] > li.is-failed, [data-list] > li:has(a[data-open]:visible)")
    expect(ended).to_have_count(len(files))


def eventually(page: Page, expression: str, seconds: float = 20.0) -> None:
    """Wait until an expression is true in the page. (Playwright's own way would evaluate a string
    inside the page, which the content security policy forbids.)"""
    for _ in range(int(seconds / 0.2)):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"still not true: {expression}")


@contextmanager
def heard_song(browser: Browser, site: Stack) -> Iterator[Page]:
    """A page of a new account with the report of a real song, in a context of its own."""
    context = browser.new_context()
    context.set_default_timeout(30_000)
    page = context.new_page()
    sign_up(page, site)
    upload(page, site, SONGS[2:])
    page.locator("[data-list] a[data-open]").first.click()
    expect(page.locator("#genre")).to_be_visible(timeout=REPORT_MS)
    try:
        yield page
    finally:
        context.close()


def open_report(page: Page, report_url: tuple[str, dict]) -> Page:
    """Go to an address with a browser's state, and wait until its song can be played."""
    url, state = report_url
    page.context.add_cookies(state["cookies"])
    page.goto(url)
    eventually(page, "document.querySelector('audio').readyState >= 1")
    return page


@pytest.fixture
def no_overflow(page: Page):
    """Call it to assert that the page cannot be scrolled sideways."""

    def check() -> None:
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"the page is {wide} px wider than the window"

    return check


@pytest.mark.parametrize(
    "context",
    [{}, {"viewport": {"width": 360, "height": 740}}],
    indirect=True,
    ids=["wide", "phone"],
)
def test_from_sign_up_to_similar_tracks(
    context: BrowserContext, page: Page, live_site: Stack, no_overflow
):
    sign_up(page, live_site)
    expect(page.locator("main")).to_contain_text("Upload")
    no_overflow()
    upload(page, live_site, SONGS)
    no_overflow()

    page.locator("[data-list] a[data-open]").first.click()
    page.wait_for_url("**/tracks/**")
    expect(page.locator("#genre")).to_be_visible(timeout=REPORT_MS)
    expect(page.locator("#loudness")).to_contain_text("LUFS")
    no_overflow()

    # The other two may still be listened to; then this page knows them as similar.
    for _ in range(60):
        page.reload()
        if page.locator(".similar__row").count() == 2:
            break
        page.wait_for_timeout(1_000)
    expect(page.locator(".similar__row")).to_have_count(2)
    page.locator(".similar__row a").first.click()
    expect(page.locator("#similar")).to_be_visible(timeout=REPORT_MS)

    page.goto(f"{live_site.url}/library/")
    expect(page.locator("tbody tr")).to_have_count(3)
    no_overflow()


def test_the_player_seeks_by_range_requests(page: Page, live_site: Stack):
    sign_up(page, live_site)
    upload(page, live_site, SONGS[:1])
    page.locator("[data-list] a[data-open]").first.click()
    expect(page.locator("#genre")).to_be_visible(timeout=REPORT_MS)
    statuses: list[int] = []
    page.on(
        "response", lambda answer: statuses.append(answer.status) if "/media/" in answer.url else 0
    )
    page.reload()
    page.evaluate("document.querySelector('audio').load()")
    eventually(page, "document.querySelector('audio').readyState >= 1")
    page.locator("[data-player-toggle]").click()
    eventually(page, "document.querySelector('audio').currentTime > 0.2")
    box = page.locator("[data-seekbar]").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    eventually(page, "document.querySelector('audio').currentTime > 20")
    assert 206 in statuses, statuses
    expect(page.locator("[data-player-now]")).to_contain_text(re.compile(r"0:2\d"))


def test_a_bad_file_in_a_batch_is_explained_and_the_good_ones_kept(
    page: Page, live_site: Stack, tmp_path: Path
):
    text = tmp_path / "my song.mp3"
    text.write_text("these are only words\n" * 100)
    sign_up(page, live_site)
    upload(page, live_site, [SONGS[0], text])
    refused = page.locator("[data-list] > li", has_text="my song.mp3")
    expect(refused).to_have_class(re.compile("is-failed"))
    assert len(refused.locator("[data-note]").inner_text()) > 20
    page.goto(f"{live_site.url}/library/")
    expect(page.locator("tbody tr")).to_have_count(1)

    upload(page, live_site, [SONGS[0]])
    expect(page.locator("[data-list] [data-note]").first).to_contain_text("already")


def test_a_broken_connection_goes_on_where_it_stopped(
    context: BrowserContext, page: Page, live_site: Stack, tmp_path: Path
):
    song = tmp_path / "long.wav"
    import numpy as np
    import soundfile

    noise = np.random.default_rng(0).normal(0, 0.1, (44_100 * 60, 2))
    soundfile.write(song, noise, 44_100)
    sign_up(page, live_site)
    page.goto(f"{live_site.url}/upload/")
    # The first two pieces that are sent are cut off.
    broken: list[str] = []

    def break_some(route) -> None:
        if route.request.method == "PATCH" and len(broken) < 2:
            broken.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    context.route("**/uploads/**", break_some)
    page.locator("[data-files]").set_input_files([song])
    expect(page.locator("[data-list] a[data-open]").first).to_be_visible(timeout=60_000)
    assert len(broken) == 2


def test_a_shared_link_shows_the_report_without_an_account(
    page: Page, context: BrowserContext, live_site: Stack, browser
):
    sign_up(page, live_site)
    upload(page, live_site, SONGS[1:2])
    page.locator("[data-list] a[data-open]").first.click()
    expect(page.locator("#genre")).to_be_visible(timeout=REPORT_MS)
    page.goto(re.sub(r"\?.*", "", page.url) + "share/")
    page.get_by_role("button", name="Make link").click()
    address = page.locator("input[readonly]").first.input_value()
    visitor = browser.new_context().new_page()
    visitor.goto(address)
    expect(visitor.locator("#genre")).to_be_visible()
    visitor.context.close()


def test_everything_can_be_done_without_javascript(browser, live_site: Stack):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_up(page, live_site)
    page.goto(f"{live_site.url}/upload/")
    page.set_input_files("#files", SONGS[2])
    page.click("#upload-form button")
    page.goto(f"{live_site.url}/library/")
    page.locator("td.table__title a").first.click()
    for _ in range(60):
        if page.locator("#genre").count():
            break
        page.wait_for_timeout(1_000)
        page.reload()
    expect(page.locator("#genre")).to_be_visible()
    expect(page.locator("#similar")).to_be_visible()
    context.close()


def test_a_new_version_says_what_changed(page: Page, live_site: Stack, no_overflow):
    sign_up(page, live_site)
    upload(page, live_site, SONGS[:1])
    page.locator("[data-list] a[data-open]").first.click()
    page.wait_for_url("**/tracks/**")
    page.get_by_role("link", name="New version").click()
    no_overflow()
    page.get_by_label("What changed in this version").locator("visible=true").fill("Louder bass")
    page.locator("[data-files]").set_input_files(SONGS[1])
    page.locator("[data-list] a[data-open]").click()
    expect(page.locator(".track-head")).to_contain_text("Louder bass")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Edit the note on v2").click()
    page.get_by_label("What changed in this version").fill("A new chorus")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".track-head")).to_contain_text("A new chorus")
