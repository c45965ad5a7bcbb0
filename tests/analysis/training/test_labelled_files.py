"""Folders and tables of music, as people on any system make them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import mutagen
import pytest
from mutagen.id3 import TPE1

from analysis.training.artist_tags import artist_of
from analysis.training.labelled_files import (
    LabelledFile,
    UnusableCorpus,
    from_folder,
    genre_names,
)
from analysis.training.labelled_table import from_table
from tests.analysis.training.music import write_sound


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def files_of(*genres: str) -> list[LabelledFile]:
    return [LabelledFile(Path(f"{number}.wav"), genre) for number, genre in enumerate(genres)]


class TestFolders:
    def test_the_folder_names_the_genre_and_the_one_below_the_artist(self, tmp_path):
        touch(tmp_path / "jazz" / "Ella" / "live" / "one.FLAC")
        touch(tmp_path / "jazz" / "two.mp3")
        touch(tmp_path / "Čarodějka" / "three.wav")
        touch(tmp_path / "jazz" / "Ella" / "cover.jpg")
        touch(tmp_path / "jazz" / "._two.mp3")
        touch(tmp_path / ".hidden" / "four.wav")
        found = {(file.path.name, file.genre, file.artist) for file in from_folder(tmp_path)}
        assert found == {
            ("one.FLAC", "jazz", "Ella"),
            ("two.mp3", "jazz", ""),
            ("three.wav", "Čarodějka", ""),
        }

    def test_split_accents_and_foreign_bytes_become_readable(self, tmp_path):
        split = unicodedata.normalize("NFD", "Müzik")
        touch(tmp_path / split / "one.wav")
        touch(tmp_path / os.fsdecode(b"bossa n\xf3va") / os.fsdecode(b"caf\xe9.wav"))
        found = from_folder(tmp_path)
        assert {file.genre for file in found} == {"Müzik", "bossa nóva"}
        assert all(file.shown.encode() for file in found)

    @pytest.mark.parametrize(
        ("made", "message"),
        [
            ([], "no sound files in the folders"),
            (["one.wav"], "move each into a folder"),
            (["jazz/notes.txt"], "no sound files in the folders"),
        ],
    )
    def test_a_folder_without_music_is_refused(self, tmp_path, made, message):
        for name in made:
            touch(tmp_path / name)
        with pytest.raises(UnusableCorpus, match=message):
            from_folder(tmp_path)

    def test_a_folder_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(UnusableCorpus, match="no folder"):
            from_folder(tmp_path / "nowhere")


class TestNames:
    def test_any_names_will_do(self):
        names = [f"genre {number:03}" for number in range(198)] + ["ドローン", "R&B/Soul"]
        assert genre_names(files_of(*reversed(names))) == sorted(names)

    @pytest.mark.parametrize(
        ("genres", "message"),
        [
            (["jazz", "jazz"], "only one genre"),
            ([], "no files"),
            ([f"{number}" for number in range(201)], "201 genres"),
            (["Jazz", "jazz"], "two spellings"),
            (["jazz", "x" * 65], "64 characters"),
            (["jazz", "Any"], "cannot be a genre"),
            (["jazz", "be\x07bop"], "cannot be printed"),
        ],
    )
    def test_names_that_cannot_be_used(self, genres, message):
        with pytest.raises(UnusableCorpus, match=message):
            genre_names(files_of(*genres))


class TestTables:
    ROWS = "path;genre;artist\r\nmusic\\café.wav;bossa nóva;João\r\n;;\r\ntwo.wav;jazz;\r\n"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_tables_of_any_spreadsheet(self, tmp_path, encoding, delimiter):
        touch(tmp_path / "music" / "café.wav")
        table = tmp_path / "list.csv"
        table.write_bytes(self.ROWS.replace(";", delimiter).encode(encoding))
        one, two = from_table(table)
        assert (one.genre, one.artist, one.split) == ("bossa nóva", "João", "")
        assert one.path.exists()
        assert (two.path, two.genre, two.artist) == (tmp_path / "two.wav", "jazz", "")

    def test_accents_that_another_system_split(self, tmp_path):
        touch(tmp_path / unicodedata.normalize("NFD", "café.wav"))
        (tmp_path / "list.csv").write_text("path,genre\ncafé.wav,jazz\n", encoding="utf-8")
        assert from_table(tmp_path / "list.csv")[0].path.exists()

    def test_splits_are_understood_and_test_rows_left_out(self, tmp_path):
        table = tmp_path / "list.csv"
        table.write_text("Genre,Path,Split\njazz,a.wav,Training\njazz,b.wav,val\njazz,c.wav,test\n")
        assert [file.split for file in from_table(table)] == ["train", "valid"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("file,genre\na.wav,jazz\n", "no column path; its first line reads file, genre"),
            ("a.wav\n", "no column path and no column genre"),
            ("", "reads nothing"),
            ("path,genre\n", "no rows"),
            ("path,genre\na.wav,\n", "line 2: the genre is missing"),
            ("path,genre\na.wav,jazz\na.wav,rock\n", "line 3: a.wav is rock here and jazz"),
            ("path,genre,split\na.wav,jazz,maybe\n", "the split is 'maybe'"),
            ("path,genre,split\na.wav,jazz,train\nb.wav,jazz,\n", "a split for 1 rows"),
        ],
    )
    def test_tables_that_cannot_be_used(self, tmp_path, text, message):
        (tmp_path / "list.csv").write_text(text)
        with pytest.raises(UnusableCorpus, match=message):
            from_table(tmp_path / "list.csv")

    def test_a_table_that_is_not_there(self, tmp_path):
        with pytest.raises(UnusableCorpus, match="cannot be read"):
            from_table(tmp_path / "none.csv")


class TestTags:
    @pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg"])
    def test_the_artist_of_common_formats(self, tmp_path, suffix):
        path = write_sound(tmp_path / f"one.{suffix}", seconds=1)
        tagged = mutagen.File(path, easy=True)
        tagged["artist"] = "Ella  Fitzgerald"
        tagged.save()
        assert artist_of(path) == "Ella Fitzgerald"

    def test_the_artist_of_a_wave_file(self, tmp_path):
        path = write_sound(tmp_path / "one.wav", seconds=1)
        tagged = mutagen.File(path)
        tagged.add_tags()
        tagged.tags.add(TPE1(encoding=3, text="Ella"))
        tagged.save()
        assert artist_of(path) == "Ella"

    def test_placeholders_are_nobody(self, tmp_path):
        path = write_sound(tmp_path / "one.flac", seconds=1)
        tagged = mutagen.File(path, easy=True)
        tagged["artist"] = "Various Artists"
        tagged.save()
        assert artist_of(path) == ""

    def test_files_without_tags_or_sense(self, tmp_path):
        assert artist_of(write_sound(tmp_path / "one.wav", seconds=1)) == ""
        assert artist_of(touch(tmp_path / "empty.mp3")) == ""
        (tmp_path / "noise.flac").write_bytes(b"fLaC" + bytes(range(200)))
        assert artist_of(tmp_path / "noise.flac") == ""
        assert artist_of(tmp_path / "nowhere.mp3") == ""
