"""Names that come from outside."""

from __future__ import annotations

import pytest

from catalog.names import clean_filename, clean_folder, clean_text, title_and_number
from catalog.tags import normal_isrc


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("Song.wav", ("Song", None)),
        ("01 - Song.flac", ("Song", 1)),
        ("1. Song.mp3", ("Song", 1)),
        ("12) Song.mp3", ("Song", 12)),
        ("1-07 Song.m4a", ("Song", 7)),
        ("07 Song.m4a", ("Song", 7)),
        ("07_Song_Two.wav", ("Song Two", 7)),
        ("99 Problems.wav", ("99 Problems", None)),
        ("1979.wav", ("1979", None)),
        ("50-50.wav", ("50-50", None)),
        ("a.b.c.wav", ("a.b.c", None)),
        ("no ending", ("no ending", None)),
        ("Vol. 2.wav", ("Vol. 2", None)),
        ("音楽.opus", ("音楽", None)),
    ],
)
def test_title_and_number(filename, expected):
    assert title_and_number(filename) == expected


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\win.ini", "win.ini"),
        ("..", "Untitled"),
        ("/a/b/", "b"),
        ("x" * 400 + ".flac", "x" * 295 + ".flac"),
        ("\u202egpj.wav", "gpj.wav"),
        ("tab\there\n.wav", "tab here .wav"),
        ("\ud800.wav", ".wav"),
        ("👩🏽‍🎤.wav", "👩🏽‍🎤.wav"),
    ],
)
def test_file_names(name, clean):
    assert clean_filename(name) == clean


def test_folders_and_text():
    assert clean_folder("Music/Blue Album/") == "Blue Album"
    assert clean_folder("Music\\Blue Album\\CD 2") == "Blue Album CD 2"
    assert clean_folder("CD1") == "CD1"
    assert clean_folder("a/" + "x" * 400) == "x" * 300
    assert clean_folder("") == clean_folder("../..") == clean_folder("/") == ""
    assert clean_text("  a \x00 b\u2028c  ", 4) == "a b"
    assert clean_text("e\u0301") == "é"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("USRC17607839", "USRC17607839"),
        ("us-rc1-76-07839", "USRC17607839"),
        ("US RC1 76 07839", "USRC17607839"),
        ("USRC1760783", ""),
        ("1SRC17607839", ""),
        ("", ""),
    ],
)
def test_isrc(written, code):
    # The first is the example of ISO 3901's own agency.
    assert normal_isrc(written) == code
