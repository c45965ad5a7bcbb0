"""Lyrics as files: read back by FFmpeg's own readers, and against the formats' own rules."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import av
import pytest

from analysis.lyrics_cues import columns, short_cues, wrapped
from analysis.lyrics_document import (
    LyricsRefused,
    TimedLine,
    TimedWord,
    judge_lines,
    separated,
    words_for,
)
from analysis.lyrics_formats import (
    SongNames,
    to_enhanced_lrc,
    to_lrc,
    to_srt,
    to_txt,
    to_vtt,
)
from analysis.lyrics_reading import decode_text, read_lyrics

SONG = SongNames(title="Lemon [Tree]", artist="Ada", language="en", duration_s=200.6)


def line(start_s: float, end_s: float, text: str) -> TimedLine:
    return TimedLine(start_s, end_s, text, words_for(text, start_s, end_s))


LINES = [
    line(1.004, 3.5, "I'm sitting here"),
    line(3.5, 5.2505, "in a <b>boring</b> room & more"),
    line(59.996, 62.0, "It's just another --> rainy day"),
    line(75.0, 78.0, "[00:10.00] is a time"),
]


def read_by_ffmpeg(tmp_path: Path, name: str, text: str) -> list[tuple[float, float, str]]:
    """Start, length and raw text of each event, as FFmpeg's demuxer sees the file."""
    path = tmp_path / name
    path.write_bytes(text.encode())
    with av.open(str(path)) as file:
        stream = file.streams[0]
        return [
            (
                float(packet.pts * stream.time_base),
                float((packet.duration or 0) * stream.time_base),
                bytes(packet).decode(),
            )
            for packet in file.demux(stream)
            if packet.size
        ]


def test_subrip_is_what_ffmpeg_reads(tmp_path):
    events = read_by_ffmpeg(tmp_path, "a.srt", to_srt(LINES, SONG))
    assert [(round(at, 3), round(lasts, 3)) for at, lasts, _ in events] == [
        (1.004, 2.496),
        (3.5, 1.751),
        (59.996, 2.004),
        (75.0, 3.0),
    ]
    texts = [text for _, _, text in events]
    assert texts[0] == "I'm sitting here"
    assert texts[1] == "in a ‹b›boring‹/b› room & more", "a player would take <b> for bold"
    assert "-->" not in texts[2]


def test_subrip_has_its_numbers_and_line_ends():
    rows = to_srt(LINES, SONG).split("\r\n")
    assert rows[:5] == ["1", "00:00:01,004 --> 00:00:03,500", "I'm sitting here", "", "2"]
    assert "\n" not in "".join(rows)


def test_webvtt_is_what_ffmpeg_reads(tmp_path):
    events = read_by_ffmpeg(tmp_path, "a.vtt", to_vtt(LINES, SONG))
    assert [round(at, 3) for at, _, _ in events] == [1.004, 3.5, 59.996, 75.0]
    bare = [re.sub(r"<[\d:.]+>", "", text) for _, _, text in events]
    assert bare[1] == "in a &lt;b&gt;boring&lt;/b&gt; room &amp; more"
    assert bare[2] == "It's just another --&gt; rainy day"


def test_webvtt_keeps_the_standards_rules():
    text = to_vtt(LINES, SONG)
    assert text.startswith("WEBVTT\n\nNOTE Ada - Lemon [Tree]\n\n")
    for cue in re.findall(r"(\S+) --> (\S+)\n(.*?)\n(?:\n|$)", text, re.DOTALL):
        inner = re.findall(r"<([\d:.]+)>", cue[2])
        times = [cue[0], *inner, cue[1]]
        assert times == sorted(set(times)), "inner times grow, within the cue (WebVTT 4.2.2)"
    assert len(re.findall(r"<\d\d:\d\d:\d\d\.\d\d\d>", text)) == 2 + 5 + 5 + 3


def test_lrc_is_what_ffmpeg_reads(tmp_path):
    events = read_by_ffmpeg(tmp_path, "a.lrc", to_lrc(LINES, SONG))
    at = [(round(start, 2), text.strip()) for start, _, text in events]
    assert (1.0, "I'm sitting here") in at
    assert (60.0, "It's just another --> rainy day") in at, "59.996 s carries into the minute"
    assert (5.25, "") in at, "the singing rests from there"
    assert (75.0, "(00:10.00) is a time") in at, "a second time would be read out of it"


def test_lrc_names_the_song():
    rows = to_lrc(LINES, SONG).splitlines()
    assert rows[:4] == ["[ar:Ada]", "[ti:Lemon (Tree)]", "[la:en]", "[length:03:21]"]
    assert "[01:00.00]It's just another --> rainy day" in rows
    assert "[00:60.00]" not in "".join(rows)


def test_long_songs_count_minutes_on():
    assert "[125:00.00]Late" in to_lrc([line(7_500, 7_501, "Late")], SongNames())
    assert "02:05:00,000 --> 02:05:01,000" in to_srt([line(7_500, 7_501, "Late")], SONG)


def test_enhanced_lrc_gives_each_word_its_time():
    words = (TimedWord(1.0, 1.4, "Oh"), TimedWord(1.555, 2.0, "my"))
    text = to_enhanced_lrc([TimedLine(1.0, 2.5, "Oh my", words)], SongNames())
    assert text == "[00:01.00]<00:01.00>Oh <00:01.56>my<00:02.00>\n[00:02.50]\n"


def test_words_without_spaces_stay_without():
    words = (TimedWord(0.0, 0.5, "さく"), TimedWord(0.5, 1.0, "ら"))
    lines = [TimedLine(0.0, 1.0, "さくら", words)]
    assert "<00:00.00>さく<00:00.50>ら<" in to_enhanced_lrc(lines, SongNames())
    assert "さく<00:00:00.500>ら" in to_vtt(lines, SongNames())


def test_two_voices_at_once_share_one_cue_of_subrip(tmp_path):
    duet = [line(1, 5, "I go on"), line(3, 7, "you go on"), line(6.8, 9, "together")]
    events = read_by_ffmpeg(tmp_path, "a.srt", to_srt(duet, SONG))
    assert [(at, lasts, text.splitlines()) for at, lasts, text in events] == [
        (1.0, 2.0, ["I go on"]),
        (3.0, 2.0, ["I go on", "you go on"]),
        (5.0, pytest.approx(1.8), ["you go on"]),
        (pytest.approx(6.8), pytest.approx(2.2), ["together"]),
    ]
    assert to_vtt(duet, SONG).count("-->") == 3, "WebVTT may overlap"


def test_long_lines_become_rows_and_cues_that_can_be_read():
    text = " ".join(f"word{number:02d}" for number in range(40))
    cues = short_cues([line(10, 30, text)])
    assert " ".join(cue.text for cue in cues) == text
    assert (cues[0].start_s, cues[-1].end_s) == (10, 30)
    assert all(one.end_s <= two.start_s for one, two in itertools.pairwise(cues))
    for cue in cues:
        rows = wrapped(cue.text)
        assert len(rows) <= 2
        assert max(map(columns, rows)) <= 42
    assert wrapped("a" * 42) == ["a" * 42]
    assert wrapped("one two three four five six seven eight nine") == [
        "one two three four five",
        "six seven eight nine",
    ]
    wide = short_cues([TimedLine(0, 9, "桜" * 60)])
    assert "".join(cue.text for cue in wide) == "桜" * 60
    assert max(columns(row) for cue in wide for row in wrapped(cue.text)) <= 42


def test_plain_text_breaks_where_the_singing_rests():
    assert to_txt([line(1, 2, "a"), line(2.5, 3, "b"), line(7.0, 8, "c")], SONG) == "a\nb\n\nc\n"
    assert to_txt([], SONG) == ""


@pytest.mark.parametrize("write", [to_lrc, to_enhanced_lrc, to_srt, to_vtt])
def test_what_was_written_is_read_again(write):
    lines = [
        line(1.0, 3.5, "I'm sitting here"),
        line(4.0, 5.25, "R&B < soul"),
        line(9, 12, "the end"),
    ]
    read = read_lyrics(write(lines, SONG))
    assert [one.text for one in read.timed] == [one.text for one in lines]
    assert [one.start_s for one in read.timed] == [1.0, 4.0, 9.0]
    # In LRC a line ends where the next one begins, unless that is a second later.
    first_end = 4.0 if write is to_lrc else 3.5
    assert [one.end_s for one in read.timed] == [first_end, 5.25, 12.0]
    if write in (to_enhanced_lrc, to_vtt):
        for one, two in zip(read.timed, lines, strict=True):
            assert [word.text for word in one.words] == [word.text for word in two.words]
            for heard, meant in zip(one.words, two.words, strict=True):
                assert heard.start_s == pytest.approx(meant.start_s, abs=0.006)


class TestReading:
    def test_lrc_of_other_programs(self):
        read = read_lyrics(
            "[ti:Song]\n[offset:+500]\n"
            "[00:10.50][00:30]Again and again\n[00:12:25]Once\n[00:13.5]\n"
        )
        assert read.kind == "LRC"
        assert [(one.start_s, one.end_s, one.text) for one in read.timed] == [
            (10.0, 11.75, "Again and again"),
            (11.75, 13.0, "Once"),
            (29.5, 37.5, "Again and again"),
        ]

    def test_subrip_with_markup_and_several_rows(self):
        read = read_lyrics(
            "1\r\n00:00:01,5 --> 00:00:02,000\r\n<i>Hello</i>\r\n{\\an8}there\r\n\r\n"
            "2\r\n00:00:02,000 --> 00:00:01,000\r\nbackwards\r\n"
        )
        assert [(one.start_s, one.end_s, one.text) for one in read.timed] == [
            (1.5, 2.0, "Hello there")
        ]

    def test_webvtt_with_notes_styles_and_entities(self):
        read = read_lyrics(
            "WEBVTT - x\n\nSTYLE\n::cue { color: red }\n\nNOTE no words\n\nintro\n"
            "00:01.000 --> 00:02.000 align:start\n<v Ada>Rock &amp; roll &lt;3</v>\n"
        )
        assert [(one.start_s, one.text) for one in read.timed] == [(1.0, "Rock & roll <3")]

    def test_plain_text_leaves_headings_out(self):
        read = read_lyrics("[Verse 1]\n  First   line\n\nSecond line\n[Chorus]\nLa\u0000la\n")
        assert (read.kind, read.headings, read.timed) == ("text", 2, ())
        assert read.lines == ("First line", "Second line", "La la")

    def test_encodings(self):
        assert decode_text("Größe".encode("utf-16")) == "Größe"
        assert decode_text("\ufeffGröße".encode()) == "Größe"
        assert decode_text("Größe".encode("cp1252")) == "Größe"
        for content in (b"\0\1\2", b"x" * 200_000):
            with pytest.raises(LyricsRefused):
                decode_text(content)

    @pytest.mark.parametrize(
        "text", ["", " \n\n", "[Chorus]", "a\n" * 2_001, "a" * 501, "ä" * 40_000]
    )
    def test_what_cannot_be_kept_is_refused_in_words(self, text):
        with pytest.raises(LyricsRefused) as refused:
            read_lyrics(text)
        assert refused.value.errors[0].message.endswith(".")


class TestJudging:
    def judge(self, *lines: object) -> list[TimedLine]:
        return judge_lines(list(lines), duration_s=60.0)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"text": " \t"}, "no text"),
            ({"text": 5}, "whole"),
            ({"text": "a" * 501}, "500 characters"),
            ({"start_s": "1"}, "not numbers"),
            ({"start_s": True}, "not numbers"),
            ({"end_s": float("nan")}, "not numbers"),
            ({"end_s": 10**400}, "not numbers"),
            ({"start_s": -0.1}, "outside the song"),
            ({"end_s": 61.5}, "outside the song"),
            ({"end_s": 0.99}, "ends before it begins"),
        ],
    )
    def test_each_wrong_line_is_named(self, changes, message):
        good = {"start_s": 1.0, "end_s": 2.0, "text": "fine"}
        with pytest.raises(LyricsRefused) as refused:
            self.judge(good, {**good, **changes})
        assert refused.value.errors[0].line == 2
        assert message in refused.value.errors[0].message

    def test_limits(self):
        good = {"start_s": 1.0, "end_s": 2.0, "text": "fine"}
        for posted in ("text", {"lines": []}, [good] * 2_001, [{**good, "text": "ä" * 499}] * 70):
            with pytest.raises(LyricsRefused):
                judge_lines(posted, duration_s=60.0)
        with pytest.raises(LyricsRefused) as refused:
            judge_lines([None] * 100, duration_s=60.0)
        assert len(refused.value.errors) == 20

    def test_text_is_cleaned_and_lines_are_put_in_order(self):
        lines = self.judge(
            {"start_s": 5, "end_s": 6, "text": " e\u0301t\u0000e\u2028 \n"},
            {"start_s": 1, "end_s": 2.00049, "text": "<b>"},
            {"start_s": 7, "end_s": 7, "text": "oh"},
        )
        assert [(one.start_s, one.end_s, one.text) for one in lines] == [
            (1.0, 2.0, "<b>"),
            (5.0, 6.0, "ét e"),
            (7.0, 7.05, "oh"),
        ]

    def test_words_are_kept_within_their_line(self):
        words = [
            {"start_s": 0.5, "end_s": 1.5, "text": "one", "confidence": 0.4},
            {"start_s": 1.2, "end_s": 9.0, "text": "two", "confidence": 7},
        ]
        (only,) = self.judge({"start_s": 1.0, "end_s": 2.0, "text": "one two", "words": words})
        assert only.words == (TimedWord(1.0, 1.5, "one", 0.4), TimedWord(1.2, 2.0, "two", None))

    def test_a_changed_text_keeps_the_times_of_words_that_stayed(self):
        known = [
            {"start_s": 1.0, "end_s": 1.5, "text": "I'm", "confidence": 0.9},
            {"start_s": 1.5, "end_s": 2.5, "text": "sitting", "confidence": 0.3},
            {"start_s": 3.0, "end_s": 3.5, "text": "here", "confidence": 0.8},
        ]
        (only,) = self.judge(
            {"start_s": 1.0, "end_s": 4.0, "text": "I'm flying over here,", "words": known}
        )
        assert only.words == (
            TimedWord(1.0, 1.5, "I'm", 0.9),
            TimedWord(1.5, 2.4, "flying"),
            TimedWord(2.4, 3.0, "over"),
            TimedWord(3.0, 3.5, "here,", 0.8),
        )
        assert "".join(gap + word.text for gap, word in separated(only)) == only.text
