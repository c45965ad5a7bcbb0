"""Measured excerpts: where they are cut, what they hold, and that none is measured twice."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from analysis.sound.features import descriptors
from analysis.sound.frames import frames
from analysis.sound.key import key
from analysis.sound.mel import log_mel
from analysis.sound.rhythm import rhythm
from analysis.training import excerpts
from analysis.training.excerpts import collect, measure_excerpts, plan
from tests.analysis.sound.demo_truth import demo_tracks, measured


@pytest.fixture
def music(tmp_path):
    """A folder with a minute and a half of sound whose pitch says the time, and something else."""
    folder = tmp_path / "music"
    folder.mkdir()
    at = np.arange(100 * 22_050) / 22_050
    generator = np.random.default_rng(0)
    sweep = 0.4 * np.sin(2 * np.pi * (200 * at + 10 * at**2)) + generator.normal(0, 0.01, at.size)
    soundfile.write(folder / "sweep.flac", sweep, 22_050)
    (folder / "cover.jpg").write_bytes(b"no music")
    (folder / "broken.ogg").write_bytes(b"OggS and then nothing")
    return folder


def test_a_whole_file_is_measured_as_the_product_does():
    """One excerpt of a piece just shorter than 30 s is the piece itself."""
    track = next(one for one in demo_tracks() if one.path.stem == "happy_acoustic_2")
    whole = measured(track.path)
    ((start, found, mel),) = measure_excerpts(track.path, 3)
    moving = frames(whole.mono_22k)
    expected = descriptors(
        moving=moving,
        rhythm=rhythm(moving.onset),
        key=key(whole.mono_22k),
        spectrum=whole.spectrum,
    )
    assert start == 0
    assert found == pytest.approx(expected)
    np.testing.assert_array_equal(mel, log_mel(whole.mono_22k))


def test_excerpts_are_cut_where_they_say(music):
    found = list(measure_excerpts(music / "sweep.flac", 2))
    assert [start for start, _, _ in found] == [17, 52]
    for start, _, mel in found:
        assert mel.shape == (128, 388)
        # The sweep is at 200 Hz + 20 Hz a second.
        band = mel[:, 5].argmax()
        expected_hz = 200 + 20 * (start + 5 * 1709 / 22_050)
        from analysis.sound.mel import mel_frequencies_hz

        assert mel_frequencies_hz()[band] == pytest.approx(expected_hz, abs=30)


def test_what_was_measured_is_not_measured_again(music, tmp_path, monkeypatch):
    run = tmp_path / "run"
    first = collect([music], run_dir=run)
    assert len(first) == 2
    monkeypatch.setattr(excerpts, "measure_excerpts", None)
    again = collect([music], run_dir=run)
    assert [one.descriptors for one in again] == [one.descriptors for one in first]
    np.testing.assert_array_equal(again[0].mel, first[0].mel)


def test_a_torn_cache_file_is_measured_anew(music, tmp_path):
    run = tmp_path / "run"
    first = collect([music], run_dir=run)
    for kept in (run / "excerpts").glob("*.npz"):
        kept.write_bytes(kept.read_bytes()[:100])
    assert len(collect([music], run_dir=run)) == len(first)


def test_artists_are_the_groups_where_they_are_known(music, tmp_path):
    run = tmp_path / "run"
    assert {one.group for one in collect([music], run_dir=run)} == {str(music)}
    known = collect([music], run_dir=run, artists={"sweep": "The Sweepers"})
    assert {one.group for one in known} == {"The Sweepers"}


def test_nothing_to_measure_is_said(tmp_path):
    with pytest.raises(ValueError, match="no music"):
        collect([tmp_path], run_dir=tmp_path / "run")


def test_many_files_give_one_each_and_few_give_several(tmp_path):
    for index in range(30):
        (tmp_path / f"{index:02d}.ogg").touch()
    many = plan(tmp_path, most=10)
    assert len(many) == 10
    assert {count for _, count in many} == {1}
    assert many[0][0].name == "00.ogg"
    assert many[-1][0].name == "29.ogg"
    assert {count for _, count in plan(tmp_path, most=90)} == {3}
