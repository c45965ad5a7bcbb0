"""Features beside the reference corpus, in words, on the page and in a shared report."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string

from analysis import presentation
from analysis.neural.listener import FEATURE_NAMES
from analysis.templatetags.feel import COMPARISONS, compared, reference_note
from catalog.models import ShareLink
from tests.factories import document

REFERENCE = {"corpus": "GTZAN", "tracks": 639, "genres": 10}


def placed(**percentiles: float) -> dict[str, object]:
    return document(feature_percentiles=percentiles, feature_reference=REFERENCE)


@pytest.mark.parametrize(
    ("name", "percentile", "words"),
    [
        ("energy", 83.4, "More energetic than 83\u00a0% of the reference"),
        ("energy", 12.0, "Calmer than 88\u00a0% of the reference"),
        ("danceability", 50.0, "More danceable than 50\u00a0% of the reference"),
        ("acousticness", 4.2, "More electronic than 96\u00a0% of the reference"),
        ("valence", 100.0, "Brighter in mood than 99\u00a0% of the reference"),
        ("valence", 0.0, "Darker in mood than 99\u00a0% of the reference"),
    ],
)
def test_a_percentile_is_said_from_the_side_it_lies_on(name, percentile, words):
    assert compared(placed(**{name: percentile}), name) == words


def test_every_feature_has_its_words():
    assert tuple(COMPARISONS) == FEATURE_NAMES


def test_the_reference_is_named_with_its_size():
    assert reference_note(placed(energy=1.0)) == (
        "The reference is GTZAN: 639 tracks of ten genres."
    )


def test_the_section_shows_both_the_value_and_its_place():
    doc = placed(energy=83.0, danceability=20.0, acousticness=55.0, valence=70.0)
    html = render_to_string("analysis/_features.html", {"doc": doc})
    for words in (
        "More energetic than 83\u00a0% of the reference.",
        "Less danceable than 80\u00a0% of the reference.",
        "More acoustic than 55\u00a0% of the reference.",
        "Brighter in mood than 70\u00a0% of the reference.",
        "639 tracks of ten genres",
    ):
        assert words in html


def test_a_report_from_before_the_percentiles_is_shown_as_it_was():
    html = render_to_string("analysis/_features.html", {"doc": document()})
    assert "Danceability" in html
    assert "reference" not in html


def test_whoever_may_see_the_features_sees_their_place_too():
    doc = placed(energy=83.0)
    shown = presentation._shared_part(doc, ShareLink(show_features=True, show_genre=False))
    assert shown["feature_percentiles"] == {"energy": 83.0}
    assert shown["feature_reference"] == REFERENCE
    hidden = presentation._shared_part(doc, ShareLink(show_features=False, show_genre=True))
    assert not any(name.startswith("feature") for name in hidden)
