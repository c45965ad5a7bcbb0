"""Tracks of an album beside each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.mixing.album import AlbumVerdict, BandOffset, TrackSound, check_album

BANDS = (("Sub", -8.0), ("Bass", -4.0), ("Low mids", -7.0), ("Mids", -6.0), ("Brilliance", -20.0))


def track(title: str, lufs: float | None = -14.0, **changes: object) -> TrackSound:
    made = TrackSound(title, title, lufs, -1.2, BANDS, 44_100, 24, 2, 0.1, 1.0)
    return replace(made, **changes)


def checked(*tracks: TrackSound | None) -> AlbumVerdict:
    verdict = check_album(tracks)
    assert verdict is not None
    return verdict


def states(verdict: AlbumVerdict) -> dict[str, str]:
    return {item.id: item.state for item in verdict.items}


def test_an_even_album_is_green():
    verdict = checked(track("One"), track("Two", -14.8), track("Three", -13.2))
    assert verdict.state == "ok"
    assert verdict.median_lufs == -14.0
    assert [row.off_lu for row in verdict.rows] == [0.0, -0.8, 0.8]
    assert [row.suggested_gain_db for row in verdict.rows] == [None] * 3
    # A second of silence at the end of one and a tenth at the start of the next.
    assert [row.gap_s for row in verdict.rows] == [1.1, 1.1, None]


def test_a_track_4_lu_louder_stands_out():
    verdict = checked(track("One"), track("Two"), track("Loud", -10.0), track("Four"))
    assert states(verdict)["loudness"] == "fail"
    loud = verdict.rows[2]
    assert (loud.off_lu, loud.loudness_state, loud.suggested_gain_db) == (4.0, "fail", -4.0)
    assert {row.loudness_state for row in verdict.rows if row is not loud} == {"ok"}
    (item,) = [item for item in verdict.items if item.id == "loudness"]
    assert "“Loud”" in item.text
    assert "−14.0 LUFS" in item.text


def test_a_quiet_ballad_is_amber_and_raised_only_as_far_as_its_peaks_allow():
    verdict = checked(track("One"), track("Two"), track("Ballad", -18.0, true_peak_dbtp=-3.5))
    ballad = verdict.rows[2]
    assert (ballad.loudness_state, ballad.suggested_gain_db) == ("attention", 2.5)
    full = checked(track("One"), track("Two"), track("Ballad", -18.0, true_peak_dbtp=-0.5))
    assert full.rows[2].suggested_gain_db is None


def test_the_band_that_deviates_is_named():
    bright = [*BANDS[:-1], ("Brilliance", -13.5)]
    verdict = checked(track("One"), track("Two"), track("Bright", bands=bright))
    assert states(verdict)["tone"] == "attention"
    assert verdict.rows[2].tone == [BandOffset("Brilliance", 6.5)]
    assert [row.tone for row in verdict.rows[:2]] == [[], []]


@pytest.mark.parametrize(
    ("change", "item", "state"),
    [
        ({"true_peak_dbtp": -0.3}, "peaks", "attention"),
        ({"true_peak_dbtp": 0.7}, "peaks", "fail"),
        ({"silence_head_s": 6.0}, "gaps", "attention"),
        ({"sample_rate": 48_000}, "formats", "attention"),
        ({"bit_depth": 16}, "formats", "attention"),
        ({"channels": 1}, "formats", "attention"),
        ({"integrated_lufs": None, "true_peak_dbtp": None}, "loudness", "ok"),
    ],
)
def test_one_odd_track(change, item, state):
    verdict = checked(track("One"), track("Odd", **change), track("Three"))
    found = states(verdict)
    assert found.pop(item) == state
    assert set(found.values()) == {"ok"}


def test_a_gap_is_told_between_neighbours_only():
    """The third track has no report: how long the silence before it is, nobody knows."""
    verdict = checked(
        track("One"), track("Two", silence_tail_s=4.0), None, track("Four", silence_head_s=3.0)
    )
    assert [row.gap_s for row in verdict.rows] == [1.1, None, None]
    assert [row.is_last for row in verdict.rows] == [False, False, True]
    assert states(verdict)["gaps"] == "ok"
    unheard_end = checked(track("One"), track("Two"), None)
    assert [row.is_last for row in unheard_end.rows] == [False, False]


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ((2, 6), "stereo and 5.1"),
        ((2, 1), "mono and stereo"),
        ((1, 2, 8), "mono and stereo and 7.1"),
        ((4, 2), "stereo and 4 channels"),
    ],
)
def test_layouts_side_by_side_are_named(channels, words):
    verdict = checked(*(track(str(n), channels=n) for n in channels))
    (item,) = [item for item in verdict.items if item.id == "formats"]
    assert f"Side by side: {words}." in item.text


def test_one_track_is_no_album():
    assert check_album([track("One")]) is None
    assert check_album([]) is None
    assert check_album([track("One"), None, None]) is None
