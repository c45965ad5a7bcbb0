"""Where the page draws what a report's explanations say."""

import numpy as np
import pytest

from analysis.explanation_panels import panels
from analysis.pictures import heat_png, mel_height, mel_ticks
from analysis.sound.mel import N_MELS, mel_frequencies_hz


def test_a_frequency_stands_at_the_height_of_its_band():
    for band in (0, 40, 127):
        assert mel_height(mel_frequencies_hz()[band]) == pytest.approx((band + 0.5) / N_MELS)
    assert mel_height(0) == 0.0
    assert mel_height(22_050) == 1.0
    assert all(tick["fraction"] == mel_height(tick["hz"]) for tick in mel_ticks())


def genre(**attention):
    return {
        "explanations": [
            {
                "label": "jazz",
                "probability": 0.7,
                "sentence": "Jazz.",
                "attention": attention,
                "regions": [
                    {"start_s": 5.0, "end_s": 10.0, "low_hz": 20, "high_hz": 1_000, "share": 0.3}
                ],
            }
        ]
    }


def test_regions_lie_on_both_axes():
    (panel,) = panels(genre(), duration_s=20.0, files={"heat.png": "/h"})
    box = panel.regions[0]
    assert (box.x, box.width) == (25.0, 25.0)
    assert box.y == pytest.approx(100 * (1 - mel_height(1_000)))
    assert box.y + box.height == pytest.approx(100 * (1 - mel_height(20)))
    assert panel.picture_url == "/h"


def test_sections_are_as_high_as_they_stand_out():
    sections = [
        {"start_s": 0.0, "end_s": 15.0, "share": 0.5, "lift": 0.667},
        {"start_s": 15.0, "end_s": 20.0, "share": 0.5, "lift": 2.0},
    ]
    (panel,) = panels(genre(sections=sections), duration_s=20.0, files={})
    assert [bar.height for bar in panel.sections] == pytest.approx([33.35, 100.0])
    assert [(bar.x, bar.width) for bar in panel.sections] == [(0, 75), (75, 25)]
    assert panel.picture_url is None


def test_a_bands_mark_is_its_even_share():
    bands = [
        {"name": "bass", "low_hz": 60, "high_hz": 250, "share": 0.6, "lift": 10.0},
        {"name": "mids", "low_hz": 500, "high_hz": 2_000, "share": 0.0, "lift": 0.0},
    ]
    (panel,) = panels(genre(bands=bands), duration_s=20.0, files={})
    bass, mids = panel.bands
    assert (bass.length, mids.length) == (100.0, 0.0)
    assert mids.even == pytest.approx(100 * (mel_height(2_000) - mel_height(500)) / 0.6)


def test_an_empty_map_draws_nothing():
    from io import BytesIO

    from PIL import Image

    empty = Image.open(BytesIO(heat_png(np.zeros((128, 50), dtype=np.float32))))
    assert empty.getchannel("A").getextrema() == (0, 0)
    spike = np.full((128, 50), 0.01, dtype=np.float32)
    spike[10, 5] = 1.0
    drawn = np.asarray(Image.open(BytesIO(heat_png(spike))).getchannel("A"))
    assert drawn[127 - 10, 5] == drawn.max()
