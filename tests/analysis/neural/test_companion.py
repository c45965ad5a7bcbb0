"""The tagger that hears beside the trunk: what it hears, and what its word counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from torch.nn import functional

from analysis.neural import tagger_weights, taggers
from analysis.neural.companion import LEVEL_DBFS, WindowTagger, patch_centres
from analysis.neural.ears import Ears, load_ears
from analysis.neural.front_ends import front_end_of
from analysis.neural.imagination import imagine
from analysis.neural.listener import WINDOW_COLUMNS, scale_mel
from analysis.neural.weights import WeightsUnavailable, find
from analysis.neural.windows import cut, window_starts
from analysis.sound.mel import COLUMNS_PER_SECOND, HOP_LENGTH, SAMPLE_RATE, log_mel
from analysis.sound.mono import mono_of_file
from analysis.training.recordings import demo_files


@pytest.fixture(scope="module")
def tagger() -> WindowTagger:
    return WindowTagger(tagger_weights.load())


@pytest.fixture(scope="module")
def ears() -> Ears:
    return load_ears()


@pytest.fixture(scope="module")
def song() -> np.ndarray:
    return mono_of_file(demo_files()[0])[: 20 * SAMPLE_RATE]


def test_each_window_is_what_the_published_tagger_hears_in_it(tagger, song):
    heard = tagger.hear(song)
    level = np.sqrt(np.mean(song.astype(np.float64) ** 2))
    whole = soxr.resample(
        song * np.float32(10 ** (LEVEL_DBFS / 20) / level), SAMPLE_RATE, taggers.SAMPLE_RATE
    )
    published = tagger_weights.load()
    length = taggers.PATCH_FRAMES * taggers.HOP_LENGTH
    centres = patch_centres(song.size) / SAMPLE_RATE
    assert centres.tolist() == pytest.approx([10 / 6 + k * 10 / 3 for k in range(6)])
    patches = []
    for centre in centres * taggers.SAMPLE_RATE:
        begin = round(centre - length / 2)
        patches.append(taggers.log_mel_patches(whole[begin : begin + length])[:1])
    with torch.inference_mode():
        expected = published(torch.cat(patches))[1].numpy()
    starts_s = np.array(window_starts(1 + song.size // HOP_LENGTH)) * HOP_LENGTH / SAMPLE_RATE
    assert heard.shape == (len(starts_s), 200)
    for row, start_s in zip(heard, starts_s, strict=True):
        inside = (centres >= start_s) & (centres <= start_s + WINDOW_COLUMNS / COLUMNS_PER_SECOND)
        assert inside.sum() in (2, 3)
        # Half a sample lies between the two ways to cut.
        assert np.corrcoef(row, expected[inside].mean(axis=0))[0, 1] > 0.999


def test_of_a_song_a_third_is_heard_and_every_window_has_its_part(tagger, song):
    minute = np.tile(song, 4)[: 70 * SAMPLE_RATE]
    assert len(patch_centres(minute.size)) == 7
    heard = tagger.hear(minute)
    assert len(heard) == len(window_starts(1 + minute.size // HOP_LENGTH))
    assert np.isfinite(heard).all()
    assert np.ptp(heard, axis=0).mean() > 0.1


@pytest.mark.parametrize("samples", [1, 2_000, 60_000, 68_355, 68_356, 218_752, 441_000])
def test_there_is_a_row_for_each_window_of_the_picture(tagger, ears, song, samples):
    piece = np.resize(song, samples)
    heard = ears.hear(log_mel(piece), tagged=tagger.hear(piece))
    assert len(heard.sections.vectors) == len(tagger.hear(piece))
    assert sum(heard.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(np.linalg.norm(heard.embedding), 1.0, rtol=1e-5)


def test_the_level_of_a_file_does_not_matter_but_that_of_a_part_does(tagger, song):
    loud = tagger.hear(song)
    np.testing.assert_allclose(tagger.hear(0.05 * song), loud, atol=0.02)
    part = 0.05 * song
    assert np.abs(tagger.hear(part, level_of=song) - loud).mean() > 0.1
    assert np.isfinite(tagger.hear(np.zeros_like(song))).all()
    with pytest.raises(ValueError, match="non-empty"):
        tagger.hear(np.zeros(0, np.float32))


@pytest.mark.parametrize("with_sound", [True, False])
def test_both_listeners_logits_are_added_up(ears, song, with_sound):
    """Of the sound, and of a picture without it."""
    picture, tagged = log_mel(song), ears.tag(song) if with_sound else None
    both = ears.hear(picture, tagged=tagged)
    network, starts = ears.network, window_starts(picture.shape[1])
    windows = cut(picture, starts)
    with torch.inference_mode():
        heard = network(scale_mel(torch.from_numpy(windows))[:, None])
        if tagged is not None:
            added = network.companion.genre(torch.from_numpy(tagged))
            temperature = ears.sound_temperature
        else:
            listener = network.picture_companion
            # Of 20 s six patches of 3 s.
            centres = (np.arange(6) + 0.5) / 6 * picture.shape[1]
            begins = (centres - 20).round().astype(int)
            places = torch.from_numpy(
                np.stack([picture[:, begin : begin + 40] / 255.0 for begin in begins])
            )
            musicnn = listener.tagger(imagine(places)[:, :187])[1]
            # Three patches of YAMNet's fit in: the first, one in the middle, the last.
            frames = front_end_of(listener.yamnet).imagine(places)
            assert frames.shape == (6, 311, 64)
            yamnet = sum(listener.yamnet(frames[:, at : at + 96])[1] for at in (0, 108, 215)) / 3
            features = torch.cat([musicnn, yamnet], dim=1)
            near = np.abs(centres - np.array(starts)[:, None] - WINDOW_COLUMNS / 2)
            inside = torch.from_numpy(near <= WINDOW_COLUMNS / 2)
            assert inside.any(dim=1).all()
            added = listener.heads.genre(torch.stack([features[of].mean(0) for of in inside]))
            temperature = ears.picture_temperature
        expected = functional.softmax((heard.logits + added).mean(0) / temperature, dim=0)
    np.testing.assert_allclose(list(both.probabilities.values()), expected, atol=1e-4)
    told = ears.predict(picture, tagged=tagged)
    np.testing.assert_allclose(told.probabilities, expected, atol=1e-4)
    np.testing.assert_allclose(ears.probabilities(picture, tagged=tagged), expected, atol=1e-4)
    np.testing.assert_allclose(told.embedding, both.embedding, atol=1e-5)
    # These only the trunk says.
    mean = heard.pooled.mean(0)
    assert both.familiarity == pytest.approx(ears.familiarity.score(mean[None].numpy())[0])
    assert list(both.features.values()) == pytest.approx(network.feel(mean).tolist(), abs=1e-5)
    course = {section.label for section in both.course}
    assert course <= set(ears.labels)


def test_the_track_lies_in_the_midst_of_its_sections(ears, song):
    heard = ears.hear(log_mel(song), tagged=ears.tag(song))
    np.testing.assert_allclose(np.linalg.norm(heard.sections.vectors, axis=1), 1.0, rtol=1e-5)
    middle = heard.sections.vectors.mean(axis=0)
    assert middle @ heard.embedding / np.linalg.norm(middle) > 0.99


def test_another_sounds_tags_are_refused(ears, song):
    with pytest.raises(ValueError, match="windows"):
        ears.hear(log_mel(song), tagged=ears.tag(song[: 5 * SAMPLE_RATE]))


def test_a_copy_at_another_speed_stays_near_its_original(ears):
    """What the trunk alone cannot hold on to: see the model card."""
    songs = [mono_of_file(path)[: 20 * SAMPLE_RATE] for path in demo_files()[:8]]

    def places(sounds):
        return np.stack(
            [ears.predict(log_mel(one), tagged=ears.tag(one)).embedding for one in sounds]
        )

    faster = [soxr.resample(one, SAMPLE_RATE, SAMPLE_RATE / 1.03) for one in songs]
    cosine = places(faster) @ places(songs).T
    assert (cosine.argmax(axis=1) == np.arange(len(songs))).all()


def test_a_damaged_checkpoint_is_not_opened(tmp_path: Path, monkeypatch):
    copy = tmp_path / "MSD_musicnn"
    shutil.copytree(tagger_weights.checkpoint_folder(), copy)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    assert tagger_weights.checkpoint_folder() == copy
    tagger_weights.load()
    data = copy / ".data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"\x00")
    with pytest.raises(WeightsUnavailable, match="damaged"):
        tagger_weights.load()
    data.unlink()
    with pytest.raises(WeightsUnavailable, match="missing"):
        tagger_weights.load()


def test_ears_that_were_fitted_with_another_tagger_do_not_load(monkeypatch):
    monkeypatch.setattr(tagger_weights, "identity", lambda: "MSD_musicnn-00000000")
    with pytest.raises(WeightsUnavailable, match="hears with the tagger"):
        Ears(find("ears"))
    monkeypatch.setattr(tagger_weights, "PACKAGE", "no_such_package")
    with pytest.raises(WeightsUnavailable, match="not installed"):
        tagger_weights.checkpoint_folder()
