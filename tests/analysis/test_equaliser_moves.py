"""Moves of a report, their settings, the loudness match, and the texts that they become."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.http import QueryDict

from analysis.equaliser_chart import equaliser_chart
from analysis.equaliser_presets import (
    EqualiserSettings,
    as_csv,
    as_equalizer_apo,
    as_json,
    as_plain_text,
)
from analysis.equaliser_settings import wish_of
from analysis.frequency_axis import frequency_percent
from analysis.mixing.loudness_match import loudness_match_db
from analysis.mixing.moves import audible, filters, moves_of, with_settings
from analysis.sound.decode import stream
from analysis.sound.equaliser import Equaliser, Move
from analysis.sound.fold import Fold
from analysis.sound.loudness import LoudnessMeter
from analysis.sound.spectrum import SpectrumMeter

TRACKS = Path(importlib.util.find_spec("immich_memories_music").origin).parent / "tracks"
SETTINGS = {
    "low end up": [Move("low_shelf", 60.0, 3.0), Move("bell", 122.0, 3.0, 0.65)],
    "top down": [Move("bell", 2_828.0, -3.0, 1.4), Move("high_shelf", 7_980.0, -3.0)],
    "all over": [
        Move("low_shelf", 60.0, 3.0),
        Move("bell", 122.0, -3.0, 0.8),
        Move("bell", 3_000.0, 2.5, 1.4),
        Move("high_shelf", 8_000.0, -3.0),
    ],
}


def finding(id: str, **advice: Any) -> dict[str, Any]:
    return {"id": id, "title": f"About {id}", "advice": {"text": "Do it.", **advice}}


MIX = {
    "findings": [
        finding("tonal_sub", type="low_shelf", freq_hz=60.0, q=0.7, gain_db=2.0),
        finding("true_peak", type=None, freq_hz=None, q=None, gain_db=None),
        finding("resonance", type="bell", freq_hz=312.5, q=1.2, gain_db=-2.0),
        finding("resonance", type="bell", freq_hz=2_900.0, q=4.0, gain_db=-1.5),
        finding("hum", type="notch", freq_hz=50.0, q=30.0, gain_db=-20.0),
        finding("tonal_mids", type="bell", freq_hz=1_000.0, q=1.0, gain_db=0.0),
    ]
}


class TestMoves:
    def test_only_equaliser_moves_are_taken_and_each_has_a_name_of_its_own(self):
        moves = moves_of(MIX)
        assert [move.key for move in moves] == ["tonal_sub", "resonance", "resonance-2"]
        assert [move.gain_db for move in moves] == [2.0, -2.0, -1.5]
        assert moves[0].q == pytest.approx(0.7071, abs=1e-4)
        assert moves_of({}) == []

    def test_amount_scales_decibels_and_switches_leave_out(self):
        half = with_settings(moves_of(MIX), amount=0.5, off=["resonance", "no such move"])
        assert [move.gain_db for move in half] == [1.0, -1.0, -0.75]
        assert [move.is_on for move in half] == [True, False, True]
        assert [(one.type, one.freq_hz, one.gain_db) for one in filters(half)] == [
            ("low_shelf", 60.0, 1.0),
            ("bell", 2_900.0, -0.75),
        ]
        assert audible(with_settings(moves_of(MIX), amount=0.0)) == []

    @pytest.mark.parametrize("amount", [-0.01, 1.01, float("nan")])
    def test_an_impossible_amount_is_refused(self, amount):
        with pytest.raises(ValueError, match="amount"):
            with_settings([], amount=amount)

    @pytest.mark.parametrize(
        ("query", "amount", "off"),
        [
            ("", 1.0, set()),
            ("amount=35&off=a,b&off=c", 0.35, {"a", "b", "c"}),
            ("amount=-5", 0.0, set()),
            ("amount=1e9", 1.0, set()),
            ("amount=nan&off=", 1.0, {""}),
            ("amount=loud", 1.0, set()),
        ],
    )
    def test_addresses_are_read_kindly(self, query, amount, off):
        wish = wish_of(QueryDict(query))
        assert (wish.amount, wish.off) == (amount, off)


class TestLoudnessMatch:
    @pytest.mark.parametrize(
        "name",
        [
            "calm/calm_electronic_s411",
            "energetic/energetic_electronic_2",
            "happy/happy_acoustic_2",
            "nostalgic/nostalgic_electronic_s522",
            "tender/tender_acoustic_1",
        ],
    )
    def test_it_is_what_a_loudness_meter_finds_on_music(self, name):
        path = TRACKS / f"{name}.opus"
        with stream(path) as blocks:
            rate, layout = blocks.info.sample_rate, blocks.info.channel_layout
            spectrum, fold = SpectrumMeter(sample_rate=rate), Fold(layout)
            original = LoudnessMeter(sample_rate=rate, channel_layout=layout)
            changed = {
                key: (
                    Equaliser(moves, sample_rate=rate, channels=blocks.info.channels),
                    LoudnessMeter(sample_rate=rate, channel_layout=layout),
                )
                for key, moves in SETTINGS.items()
            }
            for block in blocks:
                original.add(block)
                spectrum.add(fold.stereo(block))
                for equaliser, meter in changed.values():
                    meter.add(equaliser(block))
        before = original.result().integrated_lufs
        found = asdict(spectrum.result())
        for key, (_, meter) in changed.items():
            measured = before - meter.result().integrated_lufs
            computed = loudness_match_db(found, SETTINGS[key], sample_rate=rate)
            assert computed == pytest.approx(measured, abs=0.1), key

    def test_without_moves_or_sound_nothing_is_changed(self):
        silent = {"frequencies_hz": [100.0, 1_000.0], "levels_db": [-np.inf, -np.inf]}
        assert loudness_match_db(silent, [], sample_rate=48_000) == 0.0
        assert loudness_match_db(silent, SETTINGS["top down"], sample_rate=48_000) == 0.0


@pytest.fixture
def settings_() -> EqualiserSettings:
    return EqualiserSettings(
        artist="Žofie",
        title='=SUM("x"), remix',
        revision=3,
        target="hiphop",
        amount=0.5,
        sample_rate=44_100,
        output_gain_db=-0.42,
        moves=with_settings(moves_of(MIX), amount=0.5, off=["resonance"]),
    )


class TestTexts:
    def test_equalizer_apo(self, settings_):
        assert as_equalizer_apo(settings_).splitlines() == [
            "Preamp: -0.42 dB",
            "Filter 1: ON LSC Fc 60 Hz Gain 1.00 dB Q 0.707",
            "Filter 2: OFF PK Fc 312.5 Hz Gain -1.00 dB Q 1.200",
            "Filter 3: ON PK Fc 2900 Hz Gain -0.75 dB Q 4.000",
        ]

    def test_json_says_everything_with_units(self, settings_):
        document = json.loads(as_json(settings_))
        assert document["artist"] == "Žofie"
        assert (document["amount"], document["output_gain_db"]) == (0.5, -0.42)
        assert document["moves"][1] == {
            "id": "resonance",
            "finding": "About resonance",
            "on": False,
            "type": "bell",
            "freq_hz": 312.5,
            "gain_db": -1.0,
            "q": 1.2,
        }

    def test_csv_has_a_row_for_each_move_and_one_for_the_level(self, settings_):
        rows = list(csv.DictReader(io.StringIO(as_csv(settings_))))
        assert [row["id"] for row in rows] == ["tonal_sub", "resonance", "resonance-2", "output"]
        assert [row["on"] for row in rows] == ["yes", "no", "yes", "yes"]
        assert [float(row["gain_db"]) for row in rows] == [1.0, -1.0, -0.75, -0.42]

    def test_plain_text_names_each_move(self, settings_):
        text = as_plain_text(settings_)
        assert "Low shelf        60 Hz   +1.0 dB   0.71" in text
        assert "About resonance (bypassed)" in text
        assert "Output gain -0.4 dB" in text


def test_the_curve_passes_through_its_moves():
    moves = moves_of({"findings": [finding("x", type="bell", freq_hz=200.0, q=1.0, gain_db=-2.0)]})
    chart = equaliser_chart(moves, sample_rate=44_100)
    points = [tuple(map(float, pair.split())) for pair in chart.line[1:].split("L")]
    deepest = max(points, key=lambda point: point[1])
    assert deepest[0] / 10 == pytest.approx(frequency_percent(200.0), abs=0.7)
    assert deepest[1] == pytest.approx(50 + 50 * 2.0 / chart.range_db, abs=0.2)
    assert chart.dots == [
        (pytest.approx(33.3333, abs=1e-3), pytest.approx(deepest[1], abs=0.1), 200.0)
    ]
