"""The whole loop in a real browser: sixty clips labelled by keyboard, a training, its comparison, a
promotion, other tags on a song's page, and back again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.label_loop import Loop
from tests.label_loop_seed import NEW_TAG, clear_in, seed_in
from tests.stack import Stack

LEARN, HELD_OUT, EACH = 6, 4, 6


@pytest.fixture
def seeded(live_site: Stack) -> Iterator[dict]:
    """Clips whose truth is known, a song and an admin; the site is other journeys' too."""
    made = seed_in(live_site, learn=LEARN, held_out=HELD_OUT, each=EACH)
    yield made
    clear_in(live_site, made)


@pytest.mark.timeout(1_500)
def test_labels_make_a_better_model_that_serves_until_it_is_taken_back(
    page: Page, live_site: Stack, seeded: dict
):
    loop = Loop(page, live_site, seeded)
    old = loop.hear_the_song()
    assert NEW_TAG not in old

    loop.label()
    ballots = f"SELECT count(*) FROM analysis_ballot WHERE rater_id = {seeded['admin']}"
    assert live_site.ask(ballots) == len(seeded["truth"]) == 60

    loop.train()
    figures = loop.comparison()
    assert figures["verdict"] == "better", figures["why"]
    assert (figures["clips"], figures["singers"]) == (HELD_OUT * EACH, HELD_OUT)
    difference = {
        name: one["difference"]
        for name, one in figures["overall"].items()
        if name in ("average_precision", "cross_entropy")
    }
    assert difference["average_precision"]["low"] > 0.0
    assert difference["cross_entropy"]["high"] < 0.0

    version = loop.compare_and_promote()
    new = loop.tags_until(lambda shown: NEW_TAG in shown, before=old)
    # The song is thin, as no version knew before, and not warm.
    assert new[NEW_TAG] > 50 > new["warm"], (version, new)
    loop.roll_back()
    assert loop.tags_until(lambda shown: shown == old, before=new) == old
