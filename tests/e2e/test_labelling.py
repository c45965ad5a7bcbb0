"""Labelling in a real browser: a dozen clips by keyboard alone, two raters at once, a lost
connection, and a phone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.test_journey import eventually
from tests.labelling_seed import clear, seed_in
from tests.stack import Stack

SENT = "!Object.keys(localStorage).some((key) => /^labelling:\\d+:/.test(key))"
CLIP = "[data-picture]"


@pytest.fixture
def seeded(live_site: Stack) -> Iterator[dict]:
    """Clips and two raters; the site is other journeys' too, so the clips go again."""
    made = seed_in(live_site, clips=18, raters=2)
    yield made
    clear(live_site, made)


def start(page: Page, site: Stack) -> None:
    """By keyboard: the button has the focus, one press begins."""
    page.goto(f"{site.url}/labels/work/")
    expect(page.locator("[data-start]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(CLIP)).to_be_visible()


def said(page: Page, text: str) -> None:
    expect(page.locator("[data-said]")).to_contain_text(text)


def answered(page: Page, keys: tuple[str, ...]) -> None:
    """Press keys for the clip in front, and wait until the next one is there."""
    before = page.locator(CLIP).get_attribute("src")
    for key in keys:
        page.keyboard.press(key)
    expect(page.locator(CLIP)).not_to_have_attribute("src", before)


def votes(site: Stack, rater: int) -> Counter:
    text = site.ask(
        "SELECT coalesce(string_agg(t.slug || ' ' || v.answer, ','), '') FROM analysis_vote v "
        "JOIN analysis_ballot b ON b.id = v.ballot_id JOIN analysis_timbretag t ON t.id = v.tag_id "
        f"WHERE b.rater_id = {rater}"
    )
    return Counter(part for part in text.split(",") if part)


def ballots(site: Stack, rater: int, where: str) -> int:
    return site.ask(f"SELECT count(*) FROM analysis_ballot WHERE rater_id = {rater} AND {where}")


def test_a_dozen_clips_by_keyboard_beside_another_rater(
    browser: Browser, context: BrowserContext, page: Page, live_site: Stack, seeded: dict
):
    rater, other = seeded["raters"]
    context.add_cookies(seeded["cookies"][:1])
    beside = browser.new_context()
    beside.add_cookies(seeded["cookies"][1:])
    second = beside.new_page()
    second.set_default_timeout(30_000)
    start(page, live_site)
    start(second, live_site)

    # Yes, no by Shift, can't tell by a second press; what happens is read out.
    page.keyboard.press("w")
    said(page, "Warm: yes")
    page.keyboard.press("Shift+B")
    said(page, "Bright: no")
    page.keyboard.press("h")
    page.keyboard.press("h")
    said(page, "Breathy: can’t tell")
    expect(page.locator("[data-tag=breathy] input[value=unsure]")).to_be_checked()
    answered(page, ("Enter",))
    said(page, "Sent. Clip 2.")
    # Nothing answered: it stays where it is.
    page.keyboard.press("Enter")
    said(page, "Nothing is answered yet")
    # The rest no, in two ways.
    answered(page, ("r", "-", "Enter"))
    for _ in range(3):
        answered(page, ("c", "Shift+Enter"))
        answered(second, ("w", "Enter"))
    # Back, and another answer; the clip in front stays in front.
    in_front = page.locator(CLIP).get_attribute("src")
    page.keyboard.press("Backspace")
    said(page, "answered before: Warm no, Bright no, Breathy no, Rough no, Clean yes")
    answered(page, ("c", "c", "c", "Shift+C", "w", "w", "w", "w", "Enter"))
    expect(page.locator(CLIP)).to_have_attribute("src", in_front)
    # Skip; undo an answer and give another one.
    answered(page, ("s",))
    answered(page, ("b", "Enter"))
    page.keyboard.press("u")
    said(page, "Taken back.")
    expect(page.locator("[data-tag=bright] input[value=yes]")).to_be_checked()
    answered(page, ("Shift+B", "Enter"))
    # Help and guidelines close again by their keys, and the clip keeps the keyboard.
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#labelling-guidelines")).to_be_visible()
    expect(page.locator("#labelling-guidelines [data-guideline=rough]")).to_contain_text("uneven")
    page.keyboard.press("/")
    page.keyboard.press(" ")
    said(page, "Paused")
    page.keyboard.press(" ")

    # Without a connection the clips at hand are still answered; nothing is lost, nothing doubled.
    eventually(page, SENT)
    context.set_offline(True)
    answered(page, ("w", "Enter"))
    page.keyboard.press("w")
    page.keyboard.press("Enter")
    expect(page.locator("[data-trouble]")).to_contain_text("The connection is lost")
    context.set_offline(False)
    eventually(page, SENT)
    expect(page.locator("[data-trouble]")).to_be_hidden()
    expect(page.locator("[data-cover]")).to_be_hidden()
    for _ in range(2):
        answered(page, ("w", "Enter"))
    eventually(page, SENT)
    eventually(second, SENT)

    expect(page.locator("[data-pace=session]")).to_have_text("10")
    assert ballots(live_site, rater, "NOT skipped") == 10
    assert ballots(live_site, rater, "skipped") == 1
    assert ballots(live_site, rater, "NOT skipped AND seconds > 0 AND seconds < 60") == 10
    assert votes(live_site, rater) == {
        "warm yes": 6,
        "bright no": 6,
        "breathy unsure": 1,
        "breathy no": 4,
        "rough yes": 1,
        "warm no": 3,
        "clean no": 2,
        "rough no": 3,
        "clean yes": 2,
    }
    # No clip went to both of them, and leaving gives back what they had.
    assert ballots(live_site, other, "NOT skipped") == 3
    both = (
        "SELECT count(*) FROM analysis_ballot a JOIN analysis_ballot b USING (clip_id) "
        f"WHERE a.rater_id = {rater} AND b.rater_id = {other}"
    )
    assert live_site.ask(both) == 0
    held = f"SELECT count(*) FROM analysis_voiceclip WHERE locked_by_id IN ({rater}, {other})"
    assert live_site.ask(held) > 0
    for left in (page, second):
        left.goto(f"{live_site.url}/labels/")
    beside.close()
    expect(page.locator("main")).to_contain_text("Warm: yes")
    for _ in range(50):
        if live_site.ask(held) == 0:
            break
        page.wait_for_timeout(200)
    assert live_site.ask(held) == 0


@pytest.mark.parametrize(
    "context",
    [{"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}],
    indirect=True,
)
def test_by_touch_on_a_phone_and_the_guess_after_the_vote(
    context: BrowserContext, page: Page, live_site: Stack, seeded: dict
):
    context.add_cookies(seeded["cookies"][:1])
    rater = seeded["raters"][0]
    page.goto(f"{live_site.url}/labels/work/")
    page.get_by_text("Show what the model thought").tap()
    page.locator("[data-start]").tap()
    expect(page.locator(CLIP)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    submit = page.get_by_role("button", name="Submit")
    for box in (submit.bounding_box(), page.locator(".tag-answer").first.bounding_box()):
        assert box["height"] >= 40
    page.locator("[data-tag=warm] input[value=yes]").tap()
    page.locator("[data-tag=rough] input[value=unsure]").tap()
    submit.tap()
    expect(page.locator("[data-sent]")).to_contain_text("The model: Warm 81 %, Bright 33 %")
    eventually(page, SENT)
    assert votes(live_site, rater) == {"warm yes": 1, "rough unsure": 1}
