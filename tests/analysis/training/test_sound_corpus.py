"""From sound files to corpora: pictures by the contract, bad files named, killed runs resumed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from analysis.sound.mel import log_mel
from analysis.training.corpora import open_collection
from analysis.training.datasets import MelCorpus
from analysis.training.distributed import ALONE
from analysis.training.genre import GenreTask, Recipe
from analysis.training.labelled_files import UnusableCorpus
from analysis.training.measure_targets import measure_targets
from analysis.training.picture_cache import EXCERPT_COLUMNS, PictureCache, excerpts
from analysis.training.recipe import WindowPlan
from tests.analysis.training.music import RATE, collection, write_sound
from tests.analysis.training.test_augment import UNCHANGED

NAMES = ["drone", "ドローン 2", "glitch-hop"]


def rewrite_same_size(path: Path) -> None:
    """Put other bytes into a file, with the same size and time: only a cache would not notice."""
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


class TestPictures:
    def test_excerpts_cover_a_long_song_evenly(self):
        song = np.arange(200 * RATE, dtype=np.float32)
        pieces = excerpts(song, most=3)
        centres = [float(piece.mean()) / song.size for piece in pieces]
        assert centres == pytest.approx([1 / 6, 1 / 2, 5 / 6], abs=0.001)
        assert {len(piece) for piece in pieces} == {len(pieces[0])}
        assert len(pieces[0]) / RATE == pytest.approx(30, abs=0.1)

    @pytest.mark.parametrize(("seconds", "count"), [(2, 1), (29, 1), (31, 1), (61, 2), (500, 3)])
    def test_as_many_as_fit(self, seconds, count):
        pieces = excerpts(np.zeros(seconds * RATE, dtype=np.float32), most=3)
        assert len(pieces) == count
        assert sum(len(piece) for piece in pieces) <= seconds * RATE

    def test_a_picture_is_that_of_the_contract(self, tmp_path):
        path = write_sound(tmp_path / "one.wav", 2, seconds=3.0)
        import soundfile

        drawn = PictureCache(tmp_path / "cache").draw(path)
        expected = log_mel(soundfile.read(path, dtype="float32")[0])
        np.testing.assert_array_equal(drawn.pictures, expected[None])

    def test_a_long_file_gives_pictures_of_one_size(self, tmp_path):
        path = write_sound(tmp_path / "one.wav", 1, seconds=65)
        drawn = PictureCache(tmp_path / "cache", excerpts=4).draw(path)
        assert drawn.pictures.shape == (2, 128, EXCERPT_COLUMNS)

    def test_what_was_drawn_is_not_drawn_again(self, tmp_path):
        path = write_sound(tmp_path / "one.wav", seconds=2)
        cache = PictureCache(tmp_path / "cache")
        before = cache.draw(path).pictures
        rewrite_same_size(path)
        np.testing.assert_array_equal(cache.draw(path).pictures, before)
        os.utime(path)
        assert "sound file" in cache.draw(path).refusal

    def test_a_refusal_is_remembered_but_not_a_missing_file(self, tmp_path):
        cache = PictureCache(tmp_path / "cache")
        path = tmp_path / "one.wav"
        assert cache.draw(path).pictures is None
        write_sound(path, seconds=2)
        assert cache.draw(path).pictures is not None


class TestCollections:
    def test_a_folder_per_genre(self, tmp_path):
        data = collection(tmp_path / "music", NAMES)
        found = open_collection(data, cache=tmp_path / "cache")
        assert found.train.names == found.validation.names == sorted(NAMES)
        assert (len(found.train), len(found.validation)) == (12, 6)
        assert not set(found.train.artists) & set(found.validation.artists)
        assert found.is_sound
        assert found.left_out == found.remarks == []
        for corpus in (found.train, found.validation):
            for track, label in zip(corpus.ids, corpus.labels, strict=True):
                assert track.startswith(f"{corpus.names[label]}{os.sep}")

    def test_tracks_of_any_length_stand_in_one_corpus(self, tmp_path):
        data = collection(tmp_path / "music", NAMES[:2], tracks=1)
        for number in range(2):
            write_sound(data / "drone" / f"n{number}" / "long.wav", seconds=62, seed=90 + number)
        write_sound(data / NAMES[1] / "n0" / "clip.wav", 1, seconds=2, seed=95)
        found = open_collection(data, cache=tmp_path / "cache", validation_share=0.4)
        corpora = (found.train, found.validation)
        lengths = sorted(p.shape[1] for c in corpora for _, p in c.pieces())
        assert lengths == [26] + [52] * 6 + [EXCERPT_COLUMNS] * 4
        # Each track is drawn as often as any other, and its pieces in turn.
        task = GenreTask(list(corpora), recipe=Recipe(crops_per_track=1), validation=None)
        assert task.steps_per_epoch == 1
        for corpus in corpora:
            for row, own in zip(corpus.mel, corpus.pictures(), strict=True):
                np.testing.assert_array_equal(row, np.tile(own, 40)[:, : row.shape[1]])

    def test_bad_files_and_copies_are_left_out_by_name(self, tmp_path):
        data = collection(tmp_path / "music", NAMES[:2])
        (data / "drone" / "broken.mp3").write_bytes(b"no music at all" * 99)
        first = data / "drone" / "drone artist 0" / "0.wav"
        (data / "drone" / "copy.wav").write_bytes(first.read_bytes())
        found = open_collection(data, cache=tmp_path / "cache")
        assert len(found.train) + len(found.validation) == 12
        copy, broken = sorted(found.left_out, key=lambda line: "broken" in line)
        assert "not a sound file" in broken
        assert "The same sound as" in copy

    def test_unknown_artists_are_said(self, tmp_path):
        data = tmp_path / "music"
        for kind, genre in enumerate(NAMES[:2]):
            for number in range(4):
                write_sound(data / genre / f"{number}.wav", kind, seconds=2, seed=number)
        found = open_collection(data, cache=tmp_path / "cache")
        assert "artist of 8 of 8 tracks is not known" in found.remarks[0]
        assert "flatter" in found.remarks[0]

    def test_a_table_with_a_split_of_its_own(self, tmp_path):
        data = collection(tmp_path / "music", NAMES[:2])
        rows = [
            f"{path.relative_to(tmp_path)},{path.parts[-3]},{path.parts[-2]},"
            f"{'valid' if path.parts[-2].endswith('2') else 'train'}"
            for path in sorted(data.rglob("*.wav"))
        ]
        table = tmp_path / "list.csv"
        table.write_text("\n".join(["path,genre,artist,split", *rows]), encoding="utf-8")
        found = open_collection(table, cache=tmp_path / "cache")
        assert all(artist.endswith("2") for artist in found.validation.artists)
        assert (len(found.train), len(found.validation)) == (8, 4)

        table.write_text(table.read_text().replace("artist 2,valid", "artist 1,valid"))
        with pytest.raises(UnusableCorpus, match="stand in both splits"):
            open_collection(table, cache=tmp_path / "cache")
        table.write_text(table.read_text().replace("valid", "train"))
        with pytest.raises(UnusableCorpus, match="split valid has no tracks of"):
            open_collection(table, cache=tmp_path / "cache")

    def test_too_few_are_refused(self, tmp_path):
        data = collection(tmp_path / "music", NAMES[:2], tracks=1)
        with pytest.raises(UnusableCorpus, match="drone has 3 usable tracks of 3"):
            open_collection(data, cache=tmp_path / "cache")

    def test_too_many_bad_ones_are_refused(self, tmp_path):
        data = collection(tmp_path / "music", NAMES[:2], tracks=1)
        for number in range(9):
            (data / "drone" / f"{number}.wav").write_bytes(b"x")
        with pytest.raises(UnusableCorpus, match=r"9 of 15 files cannot be read, first .*0\.wav"):
            open_collection(data, cache=tmp_path / "cache")

    def test_half_a_corpus_of_pictures_is_named(self, tmp_path):
        (tmp_path / "tracks.csv").write_text("id,split,genre,artist\n")
        with pytest.raises(UnusableCorpus, match=r"train\.npz"):
            open_collection(tmp_path, cache=tmp_path / "cache")

    def test_nothing_there(self, tmp_path):
        with pytest.raises(UnusableCorpus, match="there is no"):
            open_collection(tmp_path / "nowhere", cache=tmp_path / "cache")


def test_windows_come_from_all_pieces_of_their_own_track():
    """Of one to three pieces a track; all cells of a piece hold its own number."""
    counts = [3, 1, 2, 1]
    columns = 40
    mel = np.zeros((4, 128, 3 * columns), dtype=np.uint8)
    for track, count in enumerate(counts):
        for at in range(3 * columns):
            mel[track, :, at] = 50 * track + 10 * ((at // columns) % count)
    corpus = MelCorpus(
        ids=["a", "b", "c", "d"],
        mel=mel,
        labels=np.arange(4),
        names=["a", "b", "c", "d"],
        artists=["a", "b", "c", "d"],
        columns=np.array(counts) * columns,
        piece_columns=columns,
    )
    recipe = Recipe(
        crops_per_track=50,
        label_smoothing=0.0,
        mixup_alpha=0.0,
        windows=WindowPlan(widths=(32,), weights=(1.0,)),
        augmentation=UNCHANGED,
    )
    seen = set()
    for inputs, targets in GenreTask([corpus], recipe=recipe, validation=None).batches(0, ALONE):
        cells = ((inputs * 0.25 + 0.5) * 255).round().int()
        assert (cells.amax((1, 2, 3)) == cells.amin((1, 2, 3))).all()  # none crosses a seam
        for value, track in zip(cells[:, 0, 0, 0].tolist(), targets.argmax(1), strict=True):
            seen.add((int(track), value))
    assert seen == {(0, 0), (0, 10), (0, 20), (1, 50), (2, 100), (2, 110), (3, 150)}


def test_balance_is_measured_on_the_same_collections(tmp_path):
    data = collection(tmp_path / "music", NAMES)
    document = measure_targets(data, out=tmp_path / "targets.json")
    assert set(document["genres"]) == {*NAMES, "any"}
    bands = {
        name: {band["name"]: band["median_db"] for band in genre["bands"]}
        for name, genre in document["genres"].items()
    }
    low, high = "bass", "mids"
    assert bands["drone"][low] > bands["drone"][high] + 20
    assert bands[NAMES[1]][high] > bands[NAMES[1]][low] + 20
