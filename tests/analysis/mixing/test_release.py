"""The release list: what is green, amber and red, and what services do to a level."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from analysis.mixing.evidence import Evidence
from analysis.mixing.release import (
    RELEASE_CHECKS,
    Details,
    EncodedPeak,
    ReleaseFacts,
    ReleaseItem,
    SourceFile,
    register,
)
from analysis.mixing.release_sound import Clipping
from analysis.mixing.release_verdict import check_release
from analysis.mixing.streaming import ServiceTarget, playback

DAY = date(2026, 6, 30)
SPOTIFY = ServiceTarget("Spotify", -14.0, -1.0, turns_up=True, as_of=DAY)
YOUTUBE = ServiceTarget("YouTube", -14.0, -1.0, turns_up=False, as_of=DAY)
AMAZON = ServiceTarget("Amazon Music", -14.0, -2.0, turns_up=False, as_of=DAY)


def encoded(name: str, peak: float, *, clipped_runs: int = 0) -> EncodedPeak:
    return EncodedPeak(name, name.upper(), 128_000, "YouTube", peak, 0.4, clipped_runs, -14.0)


def document(**loudness: object) -> dict:
    """A report of a master in order, as far as the checks read it."""
    return {
        "file": {"duration_s": 180.0, "sample_rate": 44_100, "channels": 2, "lossless": True},
        "loudness": {
            "integrated_lufs": -13.0,
            "true_peak_dbtp": -1.2,
            "peak_to_loudness_lu": 11.8,
            "clipped_runs": 0,
            "clipped_at_s": [],
            "dc_offset": [0.0, 0.0],
            "silence_head_s": 0.2,
            "silence_tail_s": 1.0,
            **loudness,
        },
        "stereo": {
            "correlation": 0.7,
            "correlation_curve": [0.7] * 180,
            "width": 0.3,
            "balance_db": 0.0,
            "mono_loss_db": 0.6,
        },
        "spectrum": {"bands": []},
        "mix": {"bands": []},
    }


IN_ORDER = ReleaseFacts(
    evidence=Evidence.from_document(document()),
    source=SourceFile(44_100, 24, False, True, "WAV", None, True),
    details=Details("Lemon Tree", "Ada", "Orchard", 3, True, "GBAYE0000001", True, "A. Bee"),
    services=(SPOTIFY, YOUTUBE, AMAZON),
    encodings=(encoded("aac", -0.6), encoded("mp3", -0.3)),
)


def evidence(**changes: object) -> ReleaseFacts:
    return replace(IN_ORDER, evidence=replace(IN_ORDER.evidence, **changes))


def items(facts: ReleaseFacts) -> dict[str, ReleaseItem]:
    return {item.id: item for item in check_release(facts).items}


def test_a_master_in_order_is_green_in_every_line():
    verdict = check_release(IN_ORDER)
    assert verdict.state == "ok"
    assert {item.state for item in verdict.items} == {"ok"}
    assert list(items(IN_ORDER)) == [
        "encoded_aac", "encoded_mp3", "true_peak", "loudness", "clipping", "dc_offset", "silence",
        "mono", "balance", "source", "cutoff", "title", "album", "artwork", "isrc", "release_date",
        "composer",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "id_", "state"),
    [
        (evidence(true_peak_dbtp=-0.96), "true_peak", "ok"),  # reads -1.0
        (evidence(true_peak_dbtp=-0.4), "true_peak", "attention"),
        (evidence(true_peak_dbtp=0.8), "true_peak", "fail"),
        (evidence(integrated_lufs=-8.0), "loudness", "attention"),
        (evidence(integrated_lufs=-24.0, true_peak_dbtp=-1.0), "loudness", "attention"),
        (evidence(integrated_lufs=-24.0, true_peak_dbtp=-12.0), "loudness", "ok"),
        (evidence(clipped_runs=3), "clipping", "attention"),
        (evidence(clipped_runs=300), "clipping", "fail"),
        (evidence(dc_offset=[0.002, 0.0]), "dc_offset", "attention"),
        (evidence(dc_offset=[0.0, -0.02]), "dc_offset", "fail"),
        (evidence(silence_head_s=2.4), "silence", "attention"),
        (evidence(silence_tail_s=9.0), "silence", "attention"),
        (evidence(correlation=-0.2), "mono", "fail"),
        (evidence(mono_loss_db=5.0), "mono", "fail"),
        (evidence(channels=1, correlation=None), "mono", "ok"),
        (evidence(correlation=None, balance_db=None), "balance", "fail"),
        (evidence(balance_db=-4.0), "balance", "attention"),
        (evidence(balance_db=5.2), "balance", "attention"),
        (evidence(balance_db=3.9), "balance", "ok"),
    ],
)
def test_each_fault_of_the_sound_has_its_colour(facts, id_, state):
    found = items(facts)[id_]
    assert found.state == state
    assert bool(found.why and found.todo) == (state != "ok")


def test_a_silent_side_is_no_mono_file():
    found = items(evidence(correlation=None, balance_db=None))
    assert "mono" not in found
    assert found["balance"].title == "One side is silent"
    assert check_release(evidence(correlation=None, balance_db=None)).state == "fail"
    mono = items(evidence(channels=1, correlation=None, balance_db=None))
    assert mono["mono"].value == "mono file"
    assert "balance" not in mono


def test_the_side_it_leans_to_is_named():
    assert items(evidence(balance_db=-6.0))["balance"].title == "It leans to the left"
    assert items(evidence(balance_db=6.0))["balance"].value == "6.0 dB to the right"
    assert items(evidence(balance_db=0.02))["balance"].value == "even"


@pytest.mark.parametrize(
    ("peak", "state"), [(-0.5, "ok"), (0.04, "ok"), (0.6, "attention"), (1.0, "attention"),
    (1.4, "fail")],
)  # fmt: skip
def test_peaks_after_encoding(peak, state):
    encodings = (encoded("mp3", -0.3), encoded("aac", peak, clipped_runs=1_234))
    found = items(replace(IN_ORDER, encodings=encodings))
    assert found["encoded_mp3"].state == "ok"
    item = found["encoded_aac" if state == "ok" else "encoded"]
    assert (item.state, item.group) == (state, "encoding")
    if state != "ok":
        assert item.title == "One format goes over full scale when encoded"
        assert f"{peak:.1f} dB above full scale and clips in 1,234 places" in item.why
        assert f"by {peak:.1f} dB or more" in item.todo


def test_all_formats_that_go_over_are_one_thing_to_do():
    facts = replace(IN_ORDER, encodings=(encoded("aac", 0.4), encoded("mp3", 1.6)))
    (item,) = check_release(facts).to_do
    assert (item.id, item.state, item.value) == ("encoded", "fail", "up to 1.6 dBTP")
    assert "2 formats" in item.title
    assert "MP3 128 kbit/s" in item.why


def test_what_was_not_encoded_yet_waits_and_is_not_green():
    verdict = check_release(replace(IN_ORDER, encodings=None))
    assert verdict.state == "waiting"
    assert [item.title for item in verdict.waiting] == ["Peaks after encoding"]
    assert verdict.to_do == []


@pytest.mark.parametrize(
    ("source", "id_", "state"),
    [
        (SourceFile(44_100, None, False, False, "MP3", 16_000.0, True), "source", "fail"),
        (SourceFile(44_100, 8, False, True, "WAV", None, True), "source", "fail"),
        (SourceFile(22_050, 16, False, True, "WAV", None, True), "source", "fail"),
        (SourceFile(96_000, 32, True, True, "WAV", None, True), "source", "ok"),
        (SourceFile(44_100, 16, False, True, "WAV", 16_020.0, True), "cutoff", "attention"),
    ],
)
def test_the_file(source, id_, state):
    assert items(replace(IN_ORDER, source=source))[id_].state == state


def test_a_cut_is_only_spoken_of_where_it_was_looked_for():
    unknown = replace(IN_ORDER.source, cutoff_known=False)
    assert "cutoff" not in items(replace(IN_ORDER, source=unknown))
    found = replace(IN_ORDER.source, codec_cutoff_hz=16_020.0)
    assert items(replace(IN_ORDER, source=found))["cutoff"].value == "nothing above 16.0 kHz"


@pytest.mark.parametrize(
    ("changes", "id_", "state"),
    [
        ({"title": "lemon_tree.wav"}, "title", "attention"),
        ({"title": "Lemon Tree master2"}, "title", "attention"),
        ({"title": "Master of Puppets"}, "title", "ok"),
        ({"artist_name": " "}, "title", "fail"),
        ({"album_title": None, "has_artwork": False}, "artwork", "attention"),
        ({"has_artwork": False}, "artwork", "fail"),
        ({"isrc": ""}, "isrc", "attention"),
        ({"has_release_date": False}, "release_date", "attention"),
        ({"composer": ""}, "composer", "attention"),
    ],
)
def test_the_details(changes, id_, state):
    facts = replace(IN_ORDER, details=replace(IN_ORDER.details, **changes))
    assert items(facts)[id_].state == state


def test_the_gravest_comes_first_and_colours_the_whole():
    facts = replace(
        evidence(clipped_runs=300), details=replace(IN_ORDER.details, isrc="", composer="")
    )
    verdict = check_release(facts)
    assert verdict.state == "fail"
    assert [item.id for item in verdict.to_do] == ["clipping", "isrc", "composer"]


def test_the_ceiling_is_what_most_services_ask_for():
    strict = replace(IN_ORDER, services=(AMAZON, replace(YOUTUBE, true_peak_dbtp=-2.0), SPOTIFY))
    assert strict.peak_ceiling_dbtp == -2.0
    assert items(strict)["true_peak"].state == "attention"
    assert replace(IN_ORDER, services=()).peak_ceiling_dbtp == -1.0


class TestServices:
    def test_a_loud_track_is_turned_down(self):
        (row,) = playback(-9.0, true_peak_dbtp=-0.2, services=[AMAZON])
        assert (row.gain_db, row.below_db) == (-5.0, 0.0)
        assert row.peak_over_db == pytest.approx(1.8)
        assert row.is_turned_down

    def test_spotifys_own_example(self):
        # "If a track loudness level is -20 dB LUFS, and its True Peak maximum is -5 dB FS, we only
        # lift the track up to -16 dB LUFS" (support.spotify.com, loudness normalization).
        (row,) = playback(-20.0, true_peak_dbtp=-5.0, services=[SPOTIFY])
        assert -20.0 + row.gain_db == -16.0
        assert row.below_db == 2.0
        assert row.is_turned_up
        assert row.is_quieter

    def test_others_leave_a_quiet_track_quiet(self):
        (row,) = playback(-20.0, true_peak_dbtp=-9.0, services=[YOUTUBE])
        assert (row.gain_db, row.below_db, row.peak_over_db) == (0.0, 6.0, 0.0)

    def test_a_peak_above_the_ceiling_leaves_no_room(self):
        (row,) = playback(-20.0, true_peak_dbtp=0.5, services=[SPOTIFY])
        assert (row.gain_db, row.below_db, row.peak_over_db) == (0.0, 6.0, 1.5)

    def test_an_unknown_peak_leaves_no_room_either(self):
        (row,) = playback(-20.0, true_peak_dbtp=None, services=[SPOTIFY])
        assert (row.gain_db, row.peak_over_db) == (0.0, 0.0)


def test_a_check_is_registered_once():
    before = list(RELEASE_CHECKS)
    with pytest.raises(ValueError, match="clipping"):
        register(Clipping)
    assert before == RELEASE_CHECKS
