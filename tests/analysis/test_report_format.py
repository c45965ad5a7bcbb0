"""Numbers of a report as people read them, and what streaming services do to a level."""

from __future__ import annotations

import pytest

from analysis.playback import playback
from analysis.templatetags import report as fmt


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-11.79, "−11.8"),
        (0.04, "0.0"),
        (-0.04, "0.0"),
        (None, "–"),
        (float("inf"), "–"),
        (3, "3.0"),
    ],
)
def test_number(value: object, text: str) -> None:
    assert fmt.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(2.14, "+2.1"), (-2.14, "−2.1"), (0.01, "0.0"), (None, "–")]
)
def test_signed(value: object, text: str) -> None:
    assert fmt.signed(value) == text


@pytest.mark.parametrize(
    ("percentile", "text"),
    [
        (99.9, "Closer than 99.9 %"),
        (50.0, "Closer than 50.0 %"),
        (28.0, "Farther than 72.0 %"),
        (0.0, "Farther than 99.9 %"),
    ],
)
def test_nearness(percentile: float, text: str) -> None:
    assert fmt.nearness(percentile) == text


@pytest.mark.parametrize(
    ("value", "text"), [(60, "60 Hz"), (1_000, "1 kHz"), (44_100, "44.1 kHz"), (2_500.0, "2.5 kHz")]
)
def test_hertz(value: object, text: str) -> None:
    assert fmt.hertz(value) == text


def test_keys_get_their_musical_signs() -> None:
    assert fmt.tonic("C#") == "C♯"
    assert fmt.tonic("Bb") == "B♭"
    assert fmt.tonic(None) == "–"
    assert fmt.tonic_of_key("F# minor") == "F♯ minor"
    assert fmt.tonic_of_key("") == ""


@pytest.mark.parametrize(
    ("codec", "container", "name"),
    [
        ("pcm_s24le", "wav", "WAV"),
        ("pcm_f32be", "aiff", "AIFF"),
        ("mp3", "mp3", "MP3"),
        ("flac", "flac", "FLAC"),
        ("vorbis", "ogg", "Ogg Vorbis"),
        ("aac", "mov,mp4,m4a,3gp,3g2,mj2", "AAC"),
    ],
)
def test_formats_have_the_names_that_musicians_use(codec: str, container: str, name: str) -> None:
    assert fmt.format_name(codec, container) == name


def test_probabilities_are_ranked() -> None:
    assert [name for name, _ in fmt.ranked({"pop": 0.2, "jazz": 0.7, "blues": 0.2})] == [
        "jazz",
        "blues",
        "pop",
    ]


def test_axis_marks_keep_their_distance_from_the_top_down() -> None:
    ticks = [{"hz": hz, "fraction": at} for hz, at in ((60, 0.01), (250, 0.05), (1_000, 0.4))]
    assert [tick["hz"] for tick in fmt.spaced(ticks, 0.1)] == [1_000, 250]


@pytest.mark.django_db
def test_services_turn_a_loud_track_down_to_their_level() -> None:
    by_name = {row.service.name: row for row in playback(-9.0, true_peak_dbtp=-0.2)}
    assert by_name["Spotify"].gain_db == pytest.approx(-5.0)
    assert by_name["Apple Music"].gain_db == pytest.approx(-7.0)
    assert all(row.is_turned_down for row in by_name.values())
    assert by_name["Spotify"].peak_over_db == pytest.approx(0.8)
    assert by_name["Amazon Music"].peak_over_db == pytest.approx(1.8)


@pytest.mark.django_db
def test_a_quiet_track_with_low_peaks_is_quieter_or_raised() -> None:
    rows = playback(-20.0, true_peak_dbtp=-6.0)
    assert not any(row.is_turned_down for row in rows)
    assert {row.peak_over_db for row in rows} == {0.0}
    by_name = {row.service.name: row for row in rows}
    # Apple Music plays at -16 LUFS and raises it fully; Spotify's ceiling leaves 5 of 6 dB.
    assert (by_name["Apple Music"].gain_db, by_name["Apple Music"].below_db) == (4.0, 0.0)
    assert (by_name["Spotify"].gain_db, by_name["Spotify"].below_db) == (5.0, 1.0)
    assert (by_name["YouTube"].gain_db, by_name["YouTube"].below_db) == (0.0, 6.0)
