"""The shipped corridors: what the corpus measures, and what the literature says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.mixing.targets import TARGETS_FILE, Corridor, aligned_levels_db, load_targets
from analysis.sound.spectrum import BANDS, BandLevel, band_levels_from_mel
from analysis.training.measure_targets import measure_targets, popular_music_slope_db_per_octave

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
GENRES = "blues classical country disco hiphop jazz metal pop reggae rock".split()

needs_pictures = pytest.mark.skipif(
    not (DATA / "gtzan_mel").is_dir(), reason="the research data (gtzan_mel) is not here"
)


def test_every_genre_has_seven_ordered_corridors():
    targets = load_targets()
    assert set(targets.genres) == {*GENRES, "any"}
    assert sum(targets.of(genre).n_tracks for genre in GENRES) == targets.of("any").n_tracks
    for target in targets.genres.values():
        assert [band.name for band in target.bands] == [name for name, _, _ in BANDS]
        for band in target.bands:
            assert band.p10_db < band.median_db < band.p90_db
        assert target.bands[-1].high_hz == 11_025.0
        assert target.curve.measured_up_to_hz == pytest.approx(9_123, abs=1)


@needs_pictures
@pytest.mark.data
def test_the_shipped_file_is_what_the_corpus_measures(tmp_path):
    measure_targets(DATA / "gtzan_mel", out=tmp_path / "targets.json")
    measured = json.loads((tmp_path / "targets.json").read_text())
    shipped = json.loads(TARGETS_FILE.read_text())
    # Voices are measured on other files, and only where they are asked for.
    assert "K-weighted" in shipped["provenance"].pop("vocals")
    voices = [genre.pop("vocals", None) for genre in shipped["genres"].values()]
    assert measured == shipped
    assert sum(voice is None for voice in voices) == 1, "only the classical tracks have no singer"


@needs_pictures
@pytest.mark.data
def test_four_in_five_tracks_lie_inside_each_corridor():
    target = load_targets().of("any")
    inside = []
    for split in ("train", "valid"):
        with np.load(DATA / "gtzan_mel" / f"{split}.npz") as pictures:
            for picture in pictures["mel"]:
                levels = aligned_levels_db(band_levels_from_mel(picture), target.bands)
                inside.append(
                    [
                        c.outside_db(level) == 0
                        for c, level in zip(target.bands, levels, strict=True)
                    ]
                )
    assert np.mean(inside, axis=0) == pytest.approx([0.8] * 7, abs=0.01)


def test_the_mean_curve_falls_as_published():
    """Elowsson & Friberg, 12,345 popular tracks; ours are thirty years older on average."""
    curve = load_targets().of("any").curve
    hz, level = np.array(curve.frequencies_hz), np.array(curve.median_db)
    inside = (hz > 100) & (hz < 4_000)
    slope = np.polyfit(np.log2(hz[inside]), level[inside] - 10 * np.log10(hz[inside]), 1)[0]
    # Pestana: about -5 dB/octave of density from 100 Hz to 4 kHz
    assert -6.0 < slope < -3.5
    # What is measured last agrees with the published slope that continues it.
    last = hz <= 9_500
    octave = level[last][-1] - np.interp(hz[last][-1] / 2, hz, level)
    assert octave == pytest.approx(popular_music_slope_db_per_octave(6_720), abs=4.0)


@pytest.mark.parametrize(
    ("hz", "slope"), [(200, -2.35), (400, -3.67), (1_600, -6.30), (6_400, -8.94)]
)
def test_the_published_slopes(hz, slope):
    assert popular_music_slope_db_per_octave(hz) == pytest.approx(slope, abs=0.01)


def test_one_loud_band_does_not_move_the_others():
    target = load_targets().of("rock")
    middle = [band.median_db for band in target.bands]

    def levels(power):
        whole = sum(power)
        return [
            BandLevel(c.name, c.low_hz, c.high_hz, 10 * np.log10(p / whole))
            for c, p in zip(target.bands, power, strict=True)
        ]

    power = [10 ** (level / 10) for level in middle]
    power[1] *= 4
    aligned = aligned_levels_db(levels(power), target.bands)
    difference = np.array(aligned) - middle
    assert difference == pytest.approx([0, 6.02, 0, 0, 0, 0, 0], abs=0.01)


def test_bands_of_another_kind_are_refused():
    target = load_targets().of("rock")
    with pytest.raises(ValueError, match="bands"):
        aligned_levels_db([BandLevel("low", 20, 200, 0.0)], target.bands)


def test_distance_to_a_corridor():
    corridor = Corridor("mids", 500, 2_000, p10_db=-8, median_db=-6, p90_db=-4)
    assert [corridor.outside_db(level) for level in (-10, -8, -5, -4, -1)] == [-2, 0, 0, 0, 3]
