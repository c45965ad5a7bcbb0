"""The page that compares two versions: who may see it, which two it takes, what it says."""

from __future__ import annotations

import copy
import re
import uuid

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from analysis.comparison_charts import spectra_chart
from analysis.comparison_page import chosen_pair, summary
from analysis.frequency_axis import frequency_percent as hz_percent
from analysis.mixing.comparison import Comparison, Gone, Stayed
from analysis.mixing.spectrum_comparison import SpectrumPair
from analysis.models import JobState
from analysis.sound.equaliser import Move
from catalog.models import Revision
from tests.analysis.mixing.reports import mix_document
from tests.factories import (
    ArtistFactory,
    JobFactory,
    ReportFactory,
    RevisionFactory,
    TrackFactory,
    document,
)

BRIGHTER = (Move("bell", 3_000.0, 9.0, 0.8),)


@pytest.fixture
def track(db):
    return TrackFactory(title="Lemon <b>Tree</b>")


def logged_in(artist) -> Client:
    client = Client()
    client.force_login(artist.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def add(track, number: int, found: dict | None, **fields: object) -> Revision:
    revision = RevisionFactory(track=track, number=number, **fields)
    if found is not None:
        ReportFactory(content_sha256=revision.content_sha256, document=found)
    return revision


def finding(id: str, amount_db: float, *, hz: float | None = None) -> dict:
    return {
        "id": id,
        "category": "tonal",
        "severity": "advice",
        "title": f"title of {id}",
        "explanation": "",
        "where": {"low_hz": None, "high_hz": None, "start_s": None, "end_s": None},
        "amount_db": amount_db,
        "confidence": 1.0,
        "advice": {"text": f"advice for {id}", "freq_hz": hz},
    }


def with_findings(*findings: dict) -> dict:
    """A real report with findings of the test's own, as if a judge had found them."""
    found = mix_document()
    return {**found, "mix": {**found["mix"], "findings": list(findings)}}


@pytest.fixture
def two(track) -> list[Revision]:
    return [
        add(track, 1, mix_document()),
        add(track, 2, mix_document(BRIGHTER, gain=0.4), note="Brighter"),
    ]


def page(track, query: str = "", *, artist=None):
    return logged_in(artist or track.artist).get(reverse("compare", args=[track.pk]) + query)


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


class TestWhoMaySee:
    def test_a_visitor_is_asked_to_log_in(self, track, two):
        answer = Client().get(reverse("compare", args=[track.pk]))
        assert answer.status_code == 302
        assert "/login/" in answer["Location"]

    @pytest.mark.parametrize("is_discoverable", [False, True])
    def test_somebody_elses_track_does_not_exist(self, track, two, is_discoverable):
        track.discoverable = is_discoverable
        track.save()
        assert page(track, artist=ArtistFactory()).status_code == 404

    def test_an_unknown_track_does_not_exist(self, track):
        address = reverse("compare", args=[uuid.uuid4()])
        assert logged_in(track.artist).get(address).status_code == 404

    def test_nothing_is_written(self, track, two):
        assert logged_in(track.artist).post(reverse("compare", args=[track.pk])).status_code == 405


class TestWhichTwo:
    @pytest.mark.parametrize(
        ("query", "numbers"),
        [
            ("", (2, 3)),
            ("?a=1", (1, 2)),
            ("?a=3", (3, 2)),
            ("?b=2", (1, 2)),
            ("?b=1", (2, 1)),
            ("?a=1&b=3", (1, 3)),
            ("?a=3&b=1", (3, 1)),
        ],
    )
    def test_the_two_are_those_that_were_asked_for(self, track, two, query, numbers):
        add(track, 3, mix_document())
        pair = page(track, query).context["pair"]
        assert tuple(one.number for one in pair) == numbers

    @pytest.mark.parametrize(
        "query", ["?a=9", "?a=1&b=9", "?a=one", "?b=-1", "?a=1.0", "?a=%00", "?a=01"]
    )
    def test_wrong_numbers_do_not_exist(self, track, two, query):
        assert page(track, query).status_code == 404

    def test_one_version_only_says_so(self, track):
        add(track, 1, mix_document())
        answer = page(track)
        assert answer.status_code == 200
        assert "Only one version so far" in text_of(answer)
        assert f"{reverse('upload')}?track={track.pk}" in answer.content.decode()
        assert page(track, "?a=1&b=2").status_code == 404

    def test_no_version_at_all_is_no_error(self, track):
        assert "Only one version so far" in text_of(page(track))

    def test_the_same_version_twice_says_so(self, track, two):
        answer = page(track, "?a=1&b=1")
        assert "The same version twice" in text_of(answer)
        assert answer.content.decode().count("<select") == 2

    def test_pairs_need_no_gapless_numbers(self):
        revisions = [Revision(number=number, pk=uuid.uuid4()) for number in (7, 4, 1)]
        pair = chosen_pair(revisions, a="", b="7")
        assert pair is not None
        assert pair[0].number == 4


class TestWhatItSays:
    def test_gone_new_and_stayed_are_listed_with_their_amounts(self, track):
        add(track, 1, with_findings(finding("bell", 4.2, hz=310), finding("peak", 0.9)))
        add(track, 2, with_findings(finding("peak", 0.2), finding("shelf", -2.5, hz=9_000)))
        answer = page(track)
        assert "1 finding gone, 1 new, 1 stayed." in text_of(answer)
        lists = {
            name: re.search(rf'data-list="{name}".*?</section>', answer.content.decode(), re.S)
            for name in ("gone", "come", "stayed")
        }
        shown = {name: re.sub(r"<[^>]+>", "", found.group()) for name, found in lists.items()}
        assert "title of bell" in shown["gone"]
        assert "+4.2 dB" in shown["gone"]
        assert "title of shelf" in shown["come"]
        assert "advice for shelf" in shown["come"]
        assert "−2.5 dB" in shown["come"]
        assert "+0.9 dB → +0.2 dB" in shown["stayed"]
        assert "better" in shown["stayed"]
        assert "Lemon <b>Tree" not in answer.content.decode()

    def test_turned_round_it_went(self, track):
        add(track, 1, with_findings(finding("peak", 0.9)))
        add(track, 2, with_findings())
        assert "1 finding gone, none new." in text_of(page(track))
        assert "No findings gone, 1 new." in text_of(page(track, "?a=2&b=1"))

    def test_the_change_of_a_band_and_of_a_figure(self, track, two):
        source = page(track).content.decode()
        row = re.search(r'<tr data-band="high_mids">.*?</tr>', source, re.S).group()
        change = float(re.search(r"data-change>([+−][\d.]+) dB", row).group(1).replace("−", "-"))
        # 8.1 dB of the bell on average over the band, less what the whole is turned down by.
        assert 4 < change < 8.5
        row = re.search(r'<tr data-figure="true_peak_dbtp">.*?</tr>', source, re.S).group()
        for found in (mix_document(), mix_document(BRIGHTER, gain=0.4)):
            assert f"{found['loudness']['true_peak_dbtp']:.1f} dBTP".replace("-", "−") in row

    def test_the_louder_one_is_turned_down(self, track, two):
        figures = [mix_document(), mix_document(BRIGHTER, gain=0.4)]
        one, other = (float(found["loudness"]["integrated_lufs"]) for found in figures)
        answer = page(track)
        assert one > other
        assert f"v1 is turned down by {one - other:.1f} dB" in text_of(answer)
        source = answer.content.decode()
        assert f'data-lufs="{one}"' in source
        assert f'data-lufs="{other}"' in source
        assert source.count("<audio") == 2

    def test_the_artists_own_target_is_used_for_both(self, track, two):
        track.artist.default_genre = "metal"
        track.artist.save()
        answer = page(track)
        assert answer.context["comparison"].target == "metal"
        assert "Both judged against metal" in text_of(answer)

    def test_a_missing_report_is_said_and_both_can_be_heard(self, track, two):
        third = add(track, 3, None)
        JobFactory(revision=third, state=JobState.QUEUED)
        answer = page(track)
        text = text_of(answer)
        assert answer.status_code == 200
        assert "v3 has no report yet" in text
        assert "Waiting to be heard" in text
        assert "Not matched in loudness" in text
        assert answer.content.decode().count("<audio") == 2
        assert 'id="spectra"' not in answer.content.decode()

    def test_a_report_from_before_says_what_to_do(self, track, two):
        add(track, 3, document())
        answer = page(track)
        assert answer.status_code == 200
        assert "too old to be judged anew" in text_of(answer)

    def test_reports_of_different_meters_are_marked(self, track, two):
        assert "different versions of the meters" not in text_of(page(track))
        newer = copy.deepcopy(mix_document())
        newer["models"]["measurements"] = "m9"
        add(track, 3, newer)
        assert "different versions of the meters" in text_of(page(track))

    def test_lengths_and_beginnings_that_differ_are_told(self, track, two):
        later = copy.deepcopy(mix_document())
        later["file"]["duration_s"] += 1.5
        later["loudness"]["silence_head_s"] += 0.34
        add(track, 3, later)
        text = text_of(page(track, "?a=1&b=3"))
        assert "v3 is 1.50 s longer than v1" in text
        assert "Use +340 ms" in text
        assert "longer than" not in text_of(page(track, "?a=1&b=2"))

    def test_silence_has_no_loudness_to_match(self, track, two):
        silent = copy.deepcopy(mix_document())
        silent["loudness"].update(
            integrated_lufs=None, true_peak_dbtp=None, peak_to_loudness_lu=None
        )
        add(track, 3, silent)
        answer = page(track)
        assert answer.status_code == 200
        assert "Not matched in loudness" in text_of(answer)


class TestLinkOnTheReport:
    @pytest.mark.parametrize(("number", "query"), [(1, ""), (2, "?b=2")])
    def test_two_reports_can_be_compared(self, track, two, number, query):
        source = self.header(track, two, number=number, can_compare=True)
        assert f'href="{reverse("compare", args=[track.pk])}{query}"' in source

    def test_one_report_cannot(self, track, two):
        source = self.header(track, two, number=2, can_compare=False)
        assert reverse("compare", args=[track.pk]) not in source

    def test_the_page_counts_reports_not_versions(self, track):
        first = add(track, 1, None)
        add(track, 2, None)
        client = logged_in(track.artist)
        assert client.get(track.get_absolute_url()).context["can_compare"] is False
        ReportFactory(content_sha256=first.content_sha256, model_version="test-1")
        ReportFactory(content_sha256=first.content_sha256, model_version="test-2")
        address = f"{track.get_absolute_url()}?revision=2"
        assert client.get(address).context["can_compare"] is False

    @staticmethod
    def header(track, two, *, number: int, can_compare: bool) -> str:
        context = {
            "track": track,
            "artist": track.artist,
            "revision": two[number - 1],
            "revisions": two[::-1],
            "is_owner": True,
            "can_compare": can_compare,
        }
        return render_to_string("analysis/_header.html", context)


@pytest.mark.parametrize(
    ("gone", "come", "stayed", "sentence"),
    [
        (0, 0, 0, "No findings in either version."),
        (2, 1, 0, "2 findings gone, 1 new."),
        (1, 0, 3, "1 finding gone, none new, 3 stayed."),
        (0, 2, 1, "No findings gone, 2 new, 1 stayed."),
    ],
)
def test_summary(gone, come, stayed, sentence):
    found = Comparison(
        target="any",
        gone=[Gone({}, None)] * gone,
        come=[{}] * come,
        stayed=[Stayed({}, {}, "same")] * stayed,
        bands=[],
        figures=[],
        spectra=None,
    )
    assert summary(found) == sentence


class TestChart:
    def test_octaves_are_equally_wide(self):
        assert (hz_percent(20), hz_percent(20_000)) == (0, pytest.approx(100))
        assert hz_percent(200) == pytest.approx(100 / 3)
        assert hz_percent(80) - hz_percent(40) == pytest.approx(
            hz_percent(8_000) - hz_percent(4_000)
        )

    def test_curves_lie_where_their_numbers_say(self):
        pair = SpectrumPair([20.0, 200.0, 2_000.0], [-20, -10, -20], [-20, -20, -20], [0, None, -6])
        chart = spectra_chart(pair)
        assert chart.before.startswith("M0.0 ")
        heights = [float(step.split()[1]) for step in re.split("[ML]", chart.before)[1:]]
        assert heights[1] < heights[0] == heights[2]
        # What is not heard interrupts the curve: two pens down.
        assert chart.difference.count("M") == 2
        assert chart.zero == 50
        tick = next(one for one in chart.difference_ticks if one.label.startswith("−"))
        assert tick.percent > 50
