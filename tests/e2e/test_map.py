"""The map of the catalogue in a real browser: drawn by a worker, wandered by keys and by finger."""

from __future__ import annotations

import math

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stack import Stack

CHOSEN = "[data-chosen] .map__name"
NEAR = "[data-near] button .truncate:first-child"


@pytest.fixture
def drawn(context: BrowserContext, page: Page, live_site: Stack, grouped_songs: dict) -> Page:
    """The map, as soon as a worker has drawn it."""
    context.add_cookies(grouped_songs["cookies"])
    for _ in range(60):
        page.goto(f"{live_site.url}/discover/map/")
        if page.locator("#map").count():
            break
        page.wait_for_timeout(1_000)
    expect(page.locator("#map[data-ready]")).to_be_attached()
    return page


def group_of(title: str) -> str:
    return title.rsplit(" song ", 1)[0]


def chosen(page: Page) -> str:
    return page.locator(CHOSEN).locator("p").first.inner_text()


def test_by_keyboard_from_song_to_song_and_a_way_between_two(drawn: Page):
    canvas = drawn.locator(".map__canvas")
    canvas.focus()
    drawn.keyboard.press("ArrowRight")
    expect(drawn.locator(CHOSEN)).to_be_visible()
    first = chosen(drawn)
    expect(drawn.locator("#announcer")).to_contain_text(f"{first} by Cartographer")
    # What lies next to it begins the list.
    expect(drawn.locator(NEAR).first).to_have_text(first)

    drawn.locator("[data-way-from]").click()
    seen = {first}
    for key in (
        one for one in ("ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft") for _ in range(8)
    ):
        canvas.focus()
        drawn.keyboard.press(key)
        # At the edge there is no next one.
        drawn.wait_for_timeout(300)
        seen.add(chosen(drawn))
        if len({group_of(title) for title in seen}) > 1:
            break
    assert len({group_of(title) for title in seen}) > 1, f"no way out of one group: {seen}"
    last = chosen(drawn)
    drawn.get_by_role("button", name=f"Playlist from {first} to here").click()
    expect(drawn.get_by_role("heading", level=1)).to_be_visible()
    expect(drawn.locator("main")).to_contain_text(first)
    expect(drawn.locator("main")).to_contain_text(last)


def test_round_a_song_in_the_midst_of_its_group_lie_songs_of_that_group(
    drawn: Page, live_site: Stack
):
    points = drawn.request.get(drawn.url + "points/").json()["points"]
    songs = [point for point in points if point["title"].startswith("Group ")]

    def from_its_group(song: dict) -> float:
        own = [one for one in songs if group_of(one["title"]) == group_of(song["title"])]
        return sum(math.dist((one["x"], one["y"]), (song["x"], song["y"])) for one in own)

    midst = min(songs, key=from_its_group)
    drawn.goto(f"{live_site.url}/discover/map/?track={midst['id']}")
    titles = drawn.locator(NEAR)
    expect(titles.first).to_have_text(midst["title"])
    groups = [group_of(title) for title in titles.all_inner_texts()[:5]]
    assert groups == [group_of(midst["title"])] * 5


def test_colours_legend_and_an_address_that_begins_at_a_song(
    drawn: Page, live_site: Stack, grouped_songs: dict
):
    legend = drawn.locator(".map__legend")
    expect(legend.get_by_role("button")).to_have_text(["Jazz", "Metal", "Undecided"])
    only = legend.get_by_role("button", name="Jazz")
    only.click()
    expect(only).to_have_attribute("aria-pressed", "true")
    drawn.get_by_role("button", name="Tempo").click()
    expect(legend).to_contain_text("180 BPM")
    title, track = next(iter(grouped_songs["tracks"].items()))
    drawn.goto(f"{live_site.url}/discover/map/?track={track}")
    expect(drawn.locator(CHOSEN)).to_contain_text(title)


@pytest.mark.parametrize(
    "context",
    [{"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}],
    indirect=True,
)
def test_by_finger_on_a_phone(drawn: Page):
    assert drawn.evaluate("document.documentElement.scrollWidth") <= 390
    # A finger beside a song chooses it: the places are asked of the page's own points.
    answer = drawn.request.get(drawn.url + "points/").json()
    place = drawn.evaluate(
        """async (points) => {
          const loaded = performance.getEntriesByType("resource").map((one) => one.name);
          const { View } = await import(loaded.find((name) => /map_view/.test(name)));
          const canvas = document.querySelector(".map__canvas");
          const view = new View(canvas.clientWidth, canvas.clientHeight);
          view.fit(points);
          const at = view.toScreen(points[0]);
          const box = canvas.getBoundingClientRect();
          return { x: box.x + at.x, y: box.y + at.y };
        }""",
        answer["points"],
    )
    drawn.touchscreen.tap(place["x"] + 2, place["y"] + 2)
    expect(drawn.locator(CHOSEN)).to_be_visible()
    titles = {one["title"]: one for one in answer["points"]}
    tapped, meant = titles[chosen(drawn)], answer["points"][0]
    assert abs(tapped["x"] - meant["x"]) + abs(tapped["y"] - meant["y"]) < 0.3
    assert drawn.evaluate("document.documentElement.scrollWidth") <= 390
