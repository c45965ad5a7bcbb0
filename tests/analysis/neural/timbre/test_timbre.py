"""The timbre model that ships: what it hears, and what it does not let itself be moved by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from django.core.management import call_command

from analysis.neural.timbre import analyze, tag_probabilities
from analysis.neural.timbre.mfcc import mfcc
from analysis.neural.timbre.model import load
from analysis.neural.timbre.network import TimbreNetwork
from analysis.training.timbre.families import HELD_OUT
from tests.analysis.sound.voice import voices

RATE = 44_100
TAGS = ("warm", "bright", "breathy", "rough", "clean")
MAKAM = Path(__file__).resolve().parents[5] / "shared" / "data" / "vocals_makam"


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """3.2 s of a synthetic voice: vibrato, formants at 700, 1,200 and 2,700 Hz, a little breath."""
    course = voices.vibrato(210.0, seconds=3.2, rate=RATE)
    at = np.arange(course.size) / RATE
    source = voices.harmonics(course, seconds=3.2, rate=RATE, db_per_octave=-9.0)
    spectrum = np.fft.rfft(voices.with_noise(source, 26.0))
    hz = np.fft.rfftfreq(source.size, 1 / RATE)
    formants = sum(
        gain / (1 + ((hz - centre) / width) ** 2)
        for centre, width, gain in ((700, 90, 1.0), (1_200, 110, 0.6), (2_700, 160, 0.4))
    )
    sound = np.fft.irfft(spectrum * (0.05 + formants), source.size)
    sound *= 1 + 0.2 * np.sin(2 * np.pi * 0.8 * at)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def test_the_tags_of_the_product():
    assert load().tags == TAGS


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_gain_moves_no_tag(voice, gain_db):
    plain = tag_probabilities(voice, RATE)
    louder = tag_probabilities(voice * np.float32(10 ** (gain_db / 20)), RATE)
    assert max(abs(louder[tag] - plain[tag]) for tag in TAGS) <= 0.03


def test_neither_rate_nor_channels_matter_much(voice):
    plain = tag_probabilities(voice, RATE)
    other = tag_probabilities(np.stack([soxr.resample(voice, RATE, 48_000)] * 2), 48_000)
    assert max(abs(other[tag] - plain[tag]) for tag in TAGS) <= 0.05


# A steady tone that is clipped is another steady tone: that is shown on singers.
HEARD_ON_A_TONE = [change for change in HELD_OUT if change.family not in ("clip", "overdrive")]


@pytest.mark.parametrize("change", HEARD_ON_A_TONE, ids=lambda change: change.name)
def test_the_network_hears_what_was_done_to_a_synthetic_voice(voice, change):
    model = load()

    def heard(sound):
        return model.hear(soxr.resample(sound, RATE, 32_000)).probabilities

    moved = heard(change(voice, RATE, np.random.default_rng(5))) - heard(voice)
    for tag, sign in change.moves.items():
        assert sign * moved[TAGS.index(tag)] > 0, tag


@pytest.mark.data
@pytest.mark.skipif(not MAKAM.is_dir(), reason="needs ../shared/data/vocals_makam")
def test_the_network_hears_what_was_done_to_singers_it_never_heard():
    model = load()
    wrong = []
    for singer in ("goekhan", "safiye"):
        path = sorted(MAKAM.glob(f"{singer}__*.flac"))[0]
        stereo, rate = soundfile.read(
            path, start=44_100, frames=4 * 44_100, dtype="float32", always_2d=True
        )
        sound = stereo.mean(axis=1)
        base = model.hear(soxr.resample(sound, rate, 32_000)).probabilities
        for change in HELD_OUT:
            changed = change(sound, rate, np.random.default_rng(1))
            moved = model.hear(soxr.resample(changed, rate, 32_000)).probabilities - base
            wrong += [
                (singer, change.name, tag)
                for tag, sign in change.moves.items()
                if sign * moved[TAGS.index(tag)] <= 0
            ]
    assert wrong == []


def test_a_clip_is_the_sum_of_what_its_moments_say():
    torch.manual_seed(0)
    heard = TimbreNetwork(5).eval()(torch.randn(2, 40, 400))
    assert heard.attention.sum(dim=2).allclose(torch.ones(2, 5), atol=1e-5)
    assert (heard.attention * heard.local).sum(dim=2).allclose(heard.logits, atol=1e-5)


def test_mfcc_see_shape_and_not_level(voice):
    sound = soxr.resample(voice, RATE, 32_000)
    assert (mfcc(sound) - mfcc(0.01 * sound)).abs().max() < 1e-3
    assert mfcc(sound).shape == (40, 1 + sound.size // 160)
    with pytest.raises(ValueError, match="mono"):
        mfcc(np.zeros((2, 32_000)))


def test_report(voice):
    song = np.concatenate([voice, np.zeros(RATE, np.float32), voice])
    document = analyze((song, RATE)).to_document()
    assert document["singing"]
    assert document["reason"] is None
    assert tuple(document["tags"]) == TAGS
    assert [(s["start_s"], s["end_s"]) for s in document["segments"]] == [
        pytest.approx((0.0, 3.2), abs=0.06),
        pytest.approx((4.2, 7.4), abs=0.06),
    ]
    for tag, entry in document["tags"].items():
        by_clip = [segment["tags"][tag] for segment in document["segments"]]
        assert entry["probability"] == pytest.approx(np.mean(by_clip), abs=1e-5)
        assert entry["spread"]["p10"] <= entry["probability"] <= entry["spread"]["p90"]
        assert set(entry["measures"]) <= set(document["evidence"])
    evidence = document["evidence"]
    assert evidence["f0_hz"]["value"] == pytest.approx(210.0, rel=0.02)
    assert 0 <= evidence["hnr_db"]["percentile"] <= 100
    for segment in document["segments"]:
        for moment in segment["moments"]:
            assert segment["start_s"] <= moment["start_s"] < moment["end_s"]
            assert moment["end_s"] <= segment["end_s"] + 0.05
    json.dumps(document, allow_nan=False)


def _breathy_from_the_middle(sound: np.ndarray) -> np.ndarray:
    noisy, half = sound.copy(), sound.size // 2
    hiss = np.random.default_rng(3).standard_normal(sound.size - half)
    noisy[half:] += (0.5 * sound[half:].std() * hiss).astype(np.float32)
    return noisy


def test_the_course_of_a_tone_rises_with_its_breath(voice):
    heard = load().hear(soxr.resample(_breathy_from_the_middle(voice), RATE, 32_000))
    course = heard.course[TAGS.index("breathy")]
    half = course.size // 2
    assert course[half:].mean() > course[:half].mean() + 0.1


@pytest.mark.data
@pytest.mark.skipif(not MAKAM.is_dir(), reason="needs ../shared/data/vocals_makam")
def test_breath_is_marked_where_it_is():
    path = MAKAM / "safiye__01_Olmaz_4_nakarat.flac"
    stereo, rate = soundfile.read(path, start=44_100, frames=4 * 44_100, always_2d=True)
    sound = _breathy_from_the_middle(stereo.mean(axis=1).astype(np.float32))
    (segment,) = analyze((sound, rate)).segments
    moments = [moment for moment in segment.moments if moment.tag == "breathy"]
    assert moments
    assert all(moment.start_s > 1.8 for moment in moments)
    assert sum(moment.end_s - moment.start_s for moment in moments) > 1.0


def test_no_singing_is_said_and_why(voice):
    silent = analyze((np.zeros(RATE, np.float32), RATE))
    hiss = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    unvoiced = analyze((hiss, RATE))
    faint = analyze((voice, RATE), np.resize(hiss, voice.size))
    assert [report.singing for report in (silent, unvoiced, faint)] == [False] * 3
    assert "silent" in silent.reason
    assert "pitch" in unvoiced.reason
    assert "quieter" in faint.reason
    assert faint.to_document()["clips"] == {"used": 0, "faint": 1, "left_out": 0}


def test_command(voice, tmp_path, capsys):
    soundfile.write(tmp_path / "vocals.wav", voice, RATE)
    soundfile.write(tmp_path / "drums.wav", 0.01 * np.ones_like(voice), RATE)
    call_command("analyze_vocal", tmp_path / "vocals.wav", "--json", "--stems", tmp_path)
    document = json.loads(capsys.readouterr().out)
    assert document["model"].startswith("timbre-1.")
    assert document["segments"][0]["over_accompaniment_db"] > 0


@pytest.mark.parametrize(
    ("name", "said"), [("song.wav", "not a sound file"), ("missing.wav", "cannot be opened")]
)
def test_command_refuses_in_one_line(tmp_path, capsys, name, said):
    (tmp_path / "song.wav").write_text("la la la " * 100)
    with pytest.raises(SystemExit) as ended:
        call_command("analyze_vocal", tmp_path / name)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
