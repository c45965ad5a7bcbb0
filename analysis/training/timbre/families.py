"""Which changes a network learns from, how strong they are drawn, and which tags they move.

Parameters are drawn from ranges; for evaluation they come from values *between* those of training
(:data:`HELD_OUT`), so that what is tested is the direction, and not what was learned by heart.
"""

from __future__ import annotations

import numpy as np

from analysis.training.timbre import changes
from analysis.training.timbre.changes import Apply, Change, Draw

BREATH = {"breathy": 1, "clean": -1}
DISTORTION = {"rough": 1, "clean": -1}


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _family(name: str, draw: Draw, apply: Apply, moves: dict[str, int]) -> Change:
    return Change(name, name, draw, apply, moves)


TRAINING: tuple[Change, ...] = (
    _family(
        "breath_noise",
        lambda rng: {
            "snr_db": rng.uniform(-2.0, 26.0),
            "slope": rng.choice([0.0, 0.0, 1.5, 3.0, 6.0]),
            "high_pass_hz": rng.choice([20.0, 20.0, 500.0, 1_500.0, 3_500.0]),
            "follow": rng.choice([0.0, 0.5, 1.0, 1.0]),
        },
        changes.breath_noise,
        BREATH,
    ),
    _family(
        "aspirate",
        lambda rng: {"share": _log_uniform(rng, 0.05, 0.98)},
        changes.aspirate,
        BREATH,
    ),
    _family("clip", lambda rng: {"share": _log_uniform(rng, 0.02, 0.6)}, changes.clip, DISTORTION),
    _family(
        "overdrive",
        lambda rng: {"drive_db": rng.uniform(6.0, 34.0), "bias": rng.uniform(0.0, 0.6)},
        changes.overdrive,
        DISTORTION,
    ),
    _family(
        "growl",
        lambda rng: {
            "centre_hz": _log_uniform(rng, 28.0, 140.0),
            "depth": rng.uniform(0.25, 1.0),
            "drive_db": rng.uniform(0.0, 20.0),
        },
        changes.growl,
        DISTORTION,
    ),
    _family(
        "high_shelf",
        lambda rng: {
            "freq_hz": _log_uniform(rng, 1_800.0, 9_000.0),
            "gain_db": rng.uniform(2.5, 12.0),
        },
        changes.high_shelf,
        {"bright": 1},
    ),
    _family(
        "high_shelf_cut",
        lambda rng: {
            "freq_hz": _log_uniform(rng, 1_800.0, 8_000.0),
            "gain_db": rng.uniform(-12.0, -2.5),
        },
        changes.high_shelf,
        {"bright": -1},
    ),
    _family(
        "low_mid",
        lambda rng: {
            "freq_hz": rng.uniform(160.0, 450.0),
            "gain_db": rng.uniform(2.5, 10.0),
            "q": rng.choice([0.0, 0.5, 0.7, 1.0, 1.4]),
        },
        changes.low_mid,
        {"warm": 1},
    ),
    _family(
        "low_mid_cut",
        lambda rng: {
            "freq_hz": rng.uniform(160.0, 450.0),
            "gain_db": rng.uniform(-10.0, -2.5),
            "q": rng.choice([0.0, 0.5, 0.7, 1.0]),
        },
        changes.low_mid,
        {"warm": -1},
    ),
    _family(
        "low_pass",
        lambda rng: {
            "freq_hz": _log_uniform(rng, 1_800.0, 7_000.0),
            "order": rng.choice([1.0, 2.0]),
        },
        changes.low_pass,
        {"bright": -1},
    ),
)

# These leave the tags where they are; a network has to hear through them.
NEUTRAL: tuple[Change, ...] = (
    _family(
        "band_limit",
        lambda rng: {"freq_hz": _log_uniform(rng, 9_500.0, 15_000.0), "order": 8.0},
        changes.low_pass,
        {},
    ),
    _family(
        "quantise",
        lambda rng: {"peak_dbfs": rng.uniform(-36.0, -9.0), "bits": 16.0},
        changes.quantise,
        {},
    ),
    _family(
        "room",
        lambda rng: {"wet_db": rng.uniform(-20.0, -9.0), "seconds": rng.uniform(0.2, 0.9)},
        changes.room,
        {},
    ),
)


_BY_NAME = {change.name: change for change in TRAINING}


def _fixed(name: str, family: str, **values: float) -> Change:
    of = _BY_NAME[family]
    return Change(name, family, lambda rng: values, of.apply, of.moves)


HELD_OUT: tuple[Change, ...] = (
    _fixed(
        "breath noise, white, 20 dB below, with the voice",
        "breath_noise",
        snr_db=20.0,
        slope=0.0,
        high_pass_hz=20.0,
        follow=1.0,
    ),
    _fixed(
        "breath noise above 2.2 kHz, 14 dB below, with the voice",
        "breath_noise",
        snr_db=14.0,
        slope=0.0,
        high_pass_hz=2_200.0,
        follow=0.8,
    ),
    _fixed(
        "breath noise, 4.5 dB/octave, 12 dB below, steady",
        "breath_noise",
        snr_db=12.0,
        slope=4.5,
        high_pass_hz=20.0,
        follow=0.0,
    ),
    _fixed("a third of the energy whispered", "aspirate", share=0.33),
    _fixed("5 % of the samples clipped", "clip", share=0.05),
    _fixed("20 % of the samples clipped", "clip", share=0.2),
    _fixed("overdrive of 18 dB", "overdrive", drive_db=18.0, bias=0.1),
    _fixed("growl at 70 Hz", "growl", centre_hz=70.0, depth=0.6, drive_db=9.0),
    _fixed("+6 dB shelf at 3 kHz", "high_shelf", freq_hz=3e3, gain_db=6.0),
    _fixed("+6 dB shelf at 5 kHz", "high_shelf", freq_hz=5e3, gain_db=6.0),
    _fixed("+6 dB shelf at 8 kHz", "high_shelf", freq_hz=8e3, gain_db=6.0),
    _fixed("+6 dB bell at 250 Hz", "low_mid", freq_hz=250.0, gain_db=6.0, q=0.9),
    _fixed("+4 dB bell at 350 Hz", "low_mid", freq_hz=350.0, gain_db=4.0, q=0.6),
    _fixed("+6 dB shelf below 300 Hz", "low_mid", freq_hz=300.0, gain_db=6.0, q=0.0),
)
