"""From documents to words: one voice, two voices, a voice over the years."""

from __future__ import annotations

import itertools
from datetime import date

import numpy as np
import pytest
import scipy.stats

from analysis.voice_comparison import compare, standard_error
from analysis.voice_document import voice_of
from analysis.voice_page import best_stretch, strips
from analysis.voice_trend import Song, trends
from tests import voices


class TestOneVoice:
    def test_the_strongest_tags_make_the_summary(self):
        voice = voice_of(voices.document(bright=0.9, breathy=0.68))
        assert voice.summary == "Clearly bright, somewhat breathy."
        assert [tag.verdict for tag in voice.tags] == [
            "hardly",
            "clearly",
            "somewhat",
            "not",
            "can’t tell",
        ]

    @pytest.mark.parametrize("probability", [0.41, 0.5, 0.59])
    def test_near_one_half_nothing_is_claimed(self, probability):
        found = voice_of(voices.document([voices.clip(1.0, rough=probability)]))
        rough = next(tag for tag in found.tags if tag.name == "rough")
        assert (rough.verdict, rough.is_heard) == ("can’t tell", False)

    def test_two_clips_have_no_spread(self):
        two = voice_of(voices.document([voices.clip(1.0), voices.clip(6.0)]))
        assert all(tag.low is None and tag.high is None for tag in two.tags)
        three = voice_of(
            voices.document([voices.clip(5.0 * at, warm=0.3 + 0.1 * at) for at in range(3)])
        )
        warm = three.tags[0]
        assert (warm.low, warm.probability, warm.high) == pytest.approx((0.32, 0.4, 0.48))

    def test_nobody_sings(self):
        voice = voice_of(voices.document([]))
        assert not voice.is_singing
        assert voice.tags == []
        assert "silent" in voice.reason

    @pytest.mark.parametrize(
        ("percentile", "words"),
        [
            (0.0, "lower than 99 % of the reference voices"),
            (22.4, "lower than 78 % of the reference voices"),
            (50.0, "about the middle of the reference voices"),
            (88.0, "higher than 88 % of the reference voices"),
            (100.0, "higher than 99 % of the reference voices"),
        ],
    )
    def test_where_a_measure_stands(self, percentile, words):
        found = voices.document()
        found["evidence"]["hnr_db"] = {"value": 12.0, "percentile": percentile}
        assert voice_of(found).evidence["hnr_db"].place == words

    def test_measures_that_are_missing_or_new_are_left_out(self):
        found = voices.document()
        found["evidence"] = {
            "hnr_db": {"value": None, "percentile": None},
            "shine_db": {"value": 1.0, "percentile": 2.0},
            "cpps_db": {"value": float("nan"), "percentile": 2.0},
        }
        assert voice_of(found).evidence == {}

    def test_what_the_network_was_taught_comes_first(self):
        found = voices.document()
        found["tags"]["warm"]["measures"] = {"hnr_db": 1, "shine_db": 1, "sibilance_db": -1}
        warm = voice_of(found).tags[0]
        assert [one.measure.name for one in warm.evidence] == [
            "sibilance_db",
            "hnr_db",
            "low_mid_db",
        ]

    def test_a_model_with_tags_of_its_own_is_shown_with_them(self):
        found = voices.document([voices.clip(5.0 * at, nasal=0.9) for at in range(3)])
        found["tags"]["nasal"] = {
            "probability": 0.9,
            "spread": {"p10": 0.8, "p90": 0.95},
            "measures": {"hnr_db": -1},
        }
        nasal = voice_of(found).tags[-1]
        assert (nasal.label, nasal.verdict) == ("Nasal", "clearly")
        assert [one.measure.name for one in nasal.evidence] == ["hnr_db"]

    def test_the_strip_marks_clips_and_jumps_to_moments(self):
        clips = [
            voices.clip(0.0, breathy=0.3),
            voices.clip(10.0, breathy=0.95),
            voices.clip(20.0, breathy=0.7),
        ]
        voice = voice_of(voices.document(clips))
        strip = next(one for one in strips(voice, 40.0) if one.tag == "breathy")
        assert [mark.start for mark in strip.marks] == [0.0, 25.0, 50.0]
        assert [mark.is_heard for mark in strip.marks] == [False, True, True]
        # The second clip has a moment at 11 s; the third one's moment is of another tag.
        assert strip.places == [10.5, 20.0]

    def test_the_preview_begins_where_most_is_sung(self):
        clips = [voices.clip(at) for at in (1.0, 30.0, 34.0, 38.0)]
        voice = voice_of(voices.document(clips))
        assert best_stretch(voice, 60.0) == 30.0
        assert best_stretch(voice, 40.0) == 28.0, "it ends with the song"
        assert best_stretch(voice, 8.0) == 0.0


class TestTwoVoices:
    def test_a_real_difference_is_named_and_a_small_one_is_not(self):
        a = voice_of(voices.document(bright=0.4))
        b = voice_of(voices.document(bright=0.8, rough=0.12))
        found = compare(a, b)
        words = {row.name: row.words for row in found.tags}
        assert words["bright"] == "clearly more bright"
        assert {words[tag] for tag in ("warm", "breathy", "rough", "clean")} == {
            "no clear difference"
        }
        assert found.summary == "B is clearly more bright."

    def test_a_large_difference_of_unsteady_voices_is_no_clear_one(self):
        def unsteady(middle):
            return [voices.clip(5.0 * at, warm=middle + 0.35 * (-1) ** at) for at in range(4)]

        found = compare(
            voice_of(voices.document(unsteady(0.4))), voice_of(voices.document(unsteady(0.6)))
        )
        assert found.tags[0].difference.value == pytest.approx(0.2)
        assert found.tags[0].words == "no clear difference"
        assert found.summary == "No clear difference in any tag."

    def test_two_clips_are_too_few(self):
        few = voice_of(voices.document([voices.clip(1.0), voices.clip(6.0)]))
        found = compare(few, voice_of(voices.document(bright=0.2)))
        assert {row.words for row in found.tags} == {"too few clips to tell"}

    def test_the_standard_error_is_that_of_half_as_many(self):
        values = [0.1, 0.4, 0.35, 0.8, 0.5, 0.2]
        wanted = scipy.stats.sem(values) * np.sqrt(2.0)
        assert standard_error(values) == pytest.approx(wanted)

    def test_false_alarms_are_rare(self):
        """Two takes of one voice: at most one in ten tags is called different."""
        random = np.random.default_rng(8)

        def take():
            clips = [
                voices.clip(5.0 * at, **dict.fromkeys(voices.USUAL, p))
                for at in range(8)
                for p in [float(random.normal(0.5, 0.15))]
            ]
            return voice_of(voices.document(clips))

        words = [row.words for _ in range(60) for row in compare(take(), take()).tags[:1]]
        assert sum(word != "no clear difference" for word in words) <= 6


def songs(values: list[float]) -> list[Song]:
    return [
        Song(f"Song {at}", "/", date(2020, 1, 1 + at), {"warm": value}, {})
        for at, value in enumerate(values)
    ]


class TestManySongs:
    def test_a_rise_is_one(self):
        (warm,) = trends(songs([0.2, 0.3, 0.35, 0.5, 0.55, 0.7]), ["warm"])
        assert warm.direction == "rising"
        assert warm.words == "More warm from song to song, by 50 points in all."

    def test_ups_and_downs_are_none(self):
        (warm,) = trends(songs([0.2, 0.7, 0.3, 0.6, 0.25, 0.5]), ["warm"])
        assert warm.words == "No clear trend."

    def test_a_steady_but_tiny_rise_is_none(self):
        (warm,) = trends(songs([0.5 + 0.005 * at for at in range(8)]), ["warm"])
        assert warm.p_value < 0.01
        assert warm.words == "No clear trend."

    def test_four_songs_are_too_few(self):
        (warm,) = trends(songs([0.1, 0.4, 0.6, 0.9]), ["warm"])
        assert warm.words == "Too few songs for a trend: it takes 5."

    @pytest.mark.parametrize("n", [5, 7, 9])
    def test_the_test_is_kendalls(self, n):
        values = [float(value) for value in np.random.default_rng(n).random(n)]
        (warm,) = trends(songs(values), ["warm"])
        assert warm.p_value == pytest.approx(
            scipy.stats.kendalltau(range(n), values, method="exact").pvalue
        )
        slopes = [(values[j] - values[i]) / (j - i) for i, j in itertools.combinations(range(n), 2)]
        assert warm.change == pytest.approx(np.median(slopes) * (n - 1))

    def test_dots_lie_from_left_to_right_and_higher_is_up(self):
        (warm,) = trends(songs([0.1, 0.9]), ["warm"])
        assert warm.dots[0].x < warm.dots[1].x
        assert warm.dots[0].y > warm.dots[1].y
