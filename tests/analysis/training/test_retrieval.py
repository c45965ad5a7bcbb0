"""Finding the same recording: counted right, cached, and on real files."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from safetensors.torch import load_file, save_file

from analysis.neural.ears import Ears, load_ears
from analysis.neural.weights import find, read_from, write_manifest
from analysis.sound.mono import mono_of_file
from analysis.training.damage import FOR_RETRIEVAL, MP3, Damage, unchanged
from analysis.training.retrieval import Pictures, Recording, distinct, look_for, retrieval
from tests.analysis.training.corpora import two_genres

RATE = 22_050


def tune(path, seed: int, seconds: float = 12.0):
    """A file of random notes in a random timbre."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    sound = 0.02 * generator.normal(size=time.size)
    for start in np.arange(0, seconds, 0.5):
        inside = (time >= start) & (time < start + 0.4)
        hz = generator.uniform(80, 2_000)
        for partial, level in enumerate(generator.uniform(0, 0.2, 5), start=1):
            sound[inside] += level * np.sin(2 * np.pi * hz * partial * time[inside])
    soundfile.write(path, sound.astype(np.float32), RATE, subtype="FLOAT")
    return path


def test_hits_are_counted_by_hand():
    gallery = np.eye(4, dtype="f4")
    queries = np.array(
        [
            [1.0, 0.0, 0.0, 0.0],  # its original is 0: first
            [0.6, 0.8, 0.0, 0.0],  # its original is 0: second
            [0.0, 0.0, 0.707, 0.707],  # its original is 2: a tie is not first
            [0.0, 0.0, 0.0, 1.0],  # its original is 3: first
        ],
        dtype="f4",
    )
    found = look_for("x", queries, gallery, np.array([0, 0, 2, 3]), ["a", "a", "b", "b"])
    assert (found.queries, found.hit_at_1, found.hit_at_10) == (4, 0.5, 1.0)
    assert found.hit_at_1_by_source == {"a": 0.5, "b": 0.5}
    assert found.cosine_to_original == pytest.approx((1 + 0.707) / 2, abs=1e-6)
    assert found.cosine_to_nearest_other == pytest.approx((0.707 + 0) / 2, abs=1e-6)


def test_a_recording_that_is_there_twice_is_kept_once():
    pictures = list(two_genres(0, "a", tracks=4).mel)
    again = pictures[1].copy()
    again[::7, ::7] ^= 1
    recordings = [Recording(name, "s") for name in "abcde"]
    assert distinct(recordings, [*pictures, again]) == [0, 1, 2, 3]


def test_pictures_are_made_once_and_kept(tmp_path):
    recording = Recording("one", "tests", path=tune(tmp_path / "one.wav", 0))
    pictures = Pictures(tmp_path / "run")
    first = pictures.of(recording, (MP3,))
    assert set(first) == {"original", "mp3_64k"}
    (kept,) = (tmp_path / "run").iterdir()
    made = kept.stat().st_mtime_ns
    again = Pictures(tmp_path / "run").of(recording, (MP3,))
    assert kept.stat().st_mtime_ns == made
    for name, drawn in first.items():
        np.testing.assert_array_equal(drawn.picture, again[name].picture)
        assert drawn.tagged is None
    # Another length is another picture; more damages are added to what is there.
    assert (
        Pictures(tmp_path / "run", excerpt_s=3.0).of(recording, ())["original"].picture.shape[1]
        == 39
    )
    assert set(pictures.of(recording, FOR_RETRIEVAL)) == {
        "original",
        *(damage.name for damage in FOR_RETRIEVAL),
    }


def test_a_picture_without_sound_cannot_be_damaged(tmp_path):
    silent = Recording("x", "s", picture=np.zeros((128, 50), dtype=np.uint8))
    assert Pictures(tmp_path).of(silent, ())["original"].picture.shape == (128, 50)
    with pytest.raises(ValueError, match="no sound"):
        Pictures(tmp_path).of(silent, (MP3,))


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Ears:
    """The ears without the tagger beside them."""
    shipped, folder = find("ears"), tmp_path_factory.mktemp("alone")
    tensors = load_file(shipped.path)
    save_file(
        {name: value for name, value in tensors.items() if not name.startswith("companion.")},
        folder / "ears.safetensors",
    )
    write_manifest(
        folder / "ears.json",
        weights_file=folder / "ears.safetensors",
        version="1.0.0",
        licence="MIT",
        source="",
        settings=shipped.settings,
    )
    return Ears(read_from(folder, "ears"))


def test_copies_of_files_are_looked_for_among_files_and_pictures(tmp_path, alone):
    corpus = two_genres(0, "p", tracks=6)
    recordings = [
        *(Recording(f"t{i}", "sound", path=tune(tmp_path / f"{i}.wav", i)) for i in range(3)),
        *(Recording(i, "pictures", picture=p) for i, p in zip(corpus.ids, corpus.mel, strict=True)),
    ]
    copies = (MP3, Damage("as_it_is", "as it is", unchanged))
    figures = retrieval(alone, recordings, pictures=Pictures(tmp_path / "run"), damages=copies)
    assert figures.gallery == 9
    assert figures.gallery_by_source == {"pictures": 6, "sound": 3}
    assert figures.queries_by_source == {"sound": 3}
    assert set(figures.damages) == {"mp3_64k", "as_it_is"}
    # Whatever a network makes of a picture, it makes the same of an unchanged copy.
    found = figures.damages["as_it_is"]
    assert (found.queries, found.hit_at_1) == (3, 1.0)
    assert found.cosine_to_original == pytest.approx(1.0, abs=1e-5)
    assert figures.damages["mp3_64k"].cosine_to_original < 0.99999


def test_ears_that_hear_sound_look_among_sound(tmp_path):
    corpus = two_genres(0, "p", tracks=2)
    ears = load_ears()
    recordings = [
        *(Recording(f"t{i}", "sound", path=tune(tmp_path / f"{i}.wav", i)) for i in range(2)),
        Recording("beside", "more", path=tune(tmp_path / "2.wav", 2), is_query=False),
        *(Recording(i, "pictures", picture=p) for i, p in zip(corpus.ids, corpus.mel, strict=True)),
    ]
    pictures = Pictures(tmp_path / "run", tag=ears.tag)
    figures = retrieval(ears, recordings, pictures=pictures, damages=(MP3,))
    assert figures.gallery_by_source == {"more": 1, "sound": 2}
    assert (figures.queries_by_source, figures.without_sound) == ({"sound": 2}, 2)
    assert figures.damages["mp3_64k"].cosine_to_original < 0.99999
    (drawn,) = pictures.of(recordings[2], ()).values()
    np.testing.assert_array_equal(drawn.tagged, ears.tag(mono_of_file(tmp_path / "2.wav")))
