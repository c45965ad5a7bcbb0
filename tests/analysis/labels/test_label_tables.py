"""Tables of labels: every spelling is read, bad rows are named, nothing is half written, and the
way out and back in loses nothing."""

from __future__ import annotations

import random
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from analysis.labels.consensus import consensus
from analysis.labels.disputes import settle
from analysis.labels.label_export import NotExportable, Options, exported
from analysis.labels.label_imports import read_table, write_import
from analysis.labels.label_writing import ImportRefused
from analysis.labels.models import (
    Adjudication,
    Ballot,
    LabelImport,
    TimbreTag,
    VoiceClip,
    Vote,
)
from analysis.labels.table_cells import harmless, plain
from analysis.labels.table_columns import FLAGS
from analysis.labels.table_text import Unreadable
from catalog.models import User
from tests.analysis.labels.rows import ballot, clip, labeller, staff

pytestmark = pytest.mark.django_db

TABLE = "file,breathy,rough\r\nJAZZ CLUB AR.wav,1,0\r\n세레나데 2.wav,0,\r\n"


@pytest.fixture
def songs() -> dict[str, VoiceClip]:
    names = ("JAZZ CLUB AR.wav", "세레나데 2.wav", "Beyoncé naïve.wav", "lawson.flac")
    return {name: clip(name) for name in names}


def votes() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    rows = Vote.objects.values_list("ballot__clip__name", "tag__slug", "answer")
    for name, slug, answer in rows.order_by("answer"):
        found.setdefault((name, slug), []).append(answer)
    return found


def imported(raw: bytes | str, **choices: object) -> LabelImport:
    """Read and written."""
    by = _chief() or staff()
    data = raw.encode() if isinstance(raw, str) else raw
    read = read_table(data, name="labels.csv", by=by)
    write_import(read.pk, by=by, **choices)
    read.refresh_from_db()
    return read


def _chief():
    return User.objects.filter(is_superuser=True).first()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_every_encoding_and_separator_is_told_by_itself(songs, encoding, delimiter):
    read = imported(TABLE.replace(",", delimiter).encode(encoding))
    assert set(VoiceClip.objects.values_list("votes", flat=True)) == {0, 1}
    assert (read.encoding, read.delimiter) == (encoding, delimiter)
    assert read.problems == []
    assert votes() == {
        ("JAZZ CLUB AR.wav", "breathy"): ["yes"],
        ("JAZZ CLUB AR.wav", "rough"): ["no"],
        ("세레나데 2.wav", "breathy"): ["no"],
    }


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_western_letters_are_not_taken_for_korean(songs, encoding):
    extra = "’" if encoding == "cp1252" else ""
    read = imported(
        f"file,warm\nBeyoncé naïve.wav,1\nx{extra},\n".encode(encoding), skip_bad_rows=True
    )
    assert read.encoding == encoding
    assert votes() == {("Beyoncé naïve.wav", "warm"): ["yes"]}


def test_accents_in_pairs_are_told_from_korean_by_the_names_there_are():
    clip("ÀÉÇÜ.wav")  # in Latin-1 these bytes are also two Hangul syllables
    assert imported("file,warm\nÀÉÇÜ.wav,1\n".encode("latin-1")).encoding == "latin-1"


@pytest.mark.parametrize(
    ("cells", "answer"),
    [
        (("1", " 1 ", "1.0", "yes", "YES", "x", "X", "true", "\u00a0y\u3000", "✓", "예"), "yes"),
        (("0", "0.0", "No", "FALSE", "n", "아니오"), "no"),
        (("?", "can't tell", "Can’t  Tell", "unsure"), "unsure"),
        (("", "   ", "NaN", "n/a"), None),
    ],
)
def test_answers_are_read_in_every_spelling(songs, cells, answer):
    for cell in cells:
        Ballot.objects.all().delete()
        imported(f'"file" , "Breathy"\n "lawson.flac" ,"{cell}"\n')
        expected = {("lawson.flac", "breathy"): [answer]} if answer else {}
        assert votes() == expected, cell


@pytest.mark.parametrize(
    "name",
    [
        "lawson",
        "lawson.wav",
        "LAWSON.FLAC",
        "data/vocals/lawson.wav",
        "C:\\vocals\\lawson.flac",
        '"lawson.flac"',
    ],
)
def test_a_file_is_found_with_or_without_folder_and_ending(songs, name):
    imported(f"filename;warm\n{name};1\n")
    assert votes() == {("lawson.flac", "warm"): ["yes"]}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_form_of_letters_does_not_matter(songs, form):
    imported(unicodedata.normalize(form, "파일,warm\n세레나데 2,x\nBeyoncé naïve,no\n"))
    assert votes() == {
        ("세레나데 2.wav", "warm"): ["yes"],
        ("Beyoncé naïve.wav", "warm"): ["no"],
    }


BAD = """file,breathy,rough
lawson,1,0

nobody.wav,1,0
JAZZ CLUB AR,maybe,0
세레나데 2,1,0,1
,1,1
Beyoncé naïve,1,0
Beyoncé naïve,0,0
"lawson",1,0
"""


def test_each_bad_row_is_named_and_nothing_is_half_written(songs):
    chief = staff()
    read = read_table(BAD.encode(), name="labels.csv", by=chief)
    said = {problem["line"]: problem["text"] for problem in read.problems}
    assert set(said) == {4, 5, 6, 7, 8, 9}
    assert "nobody.wav" in said[4]
    assert "“maybe” is no answer" in said[5]
    assert "more cells" in said[6]
    assert "missing" in said[7]
    assert "Line 8 gives other answers" in said[9]
    assert read.summary["repeated"] == 1
    with pytest.raises(ImportRefused, match="6 rows cannot be written"):
        write_import(read.pk, by=chief)
    assert not Ballot.objects.exists()
    write_import(read.pk, by=chief, skip_bad_rows=True)
    assert votes() == {("lawson.flac", "breathy"): ["yes"], ("lawson.flac", "rough"): ["no"]}
    with pytest.raises(ImportRefused, match="already"):
        write_import(read.pk, by=chief, skip_bad_rows=True)


def test_a_clip_that_is_gone_by_then_stops_the_whole_table(songs):
    chief = staff()
    read = read_table(TABLE.encode(), name="labels.csv", by=chief)
    songs["세레나데 2.wav"].delete()
    with pytest.raises(ImportRefused, match="line 3"):
        write_import(read.pk, by=chief)
    assert not Ballot.objects.exists()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00", "encoding"),
        (b"file,warm\nla\x00wson,1\n", "no text has"),
        (b"lawson.flac,1,0\nother.flac,0,1\n", "first line"),
        (b"file\nlawson\n", "one column"),
        (b'file,warm\n"lawson,1\nother,0\n', "line 2 is never closed"),
        (b"file,warm,Warm\nlawson,1,1\n", "same thing"),
        (b"warm,bright\n1,0\n", "file"),
    ],
)
def test_what_is_no_table_is_refused_in_words(songs, raw, reason):
    with pytest.raises(Unreadable, match=reason):
        read_table(raw, name="labels.csv", by=staff())
    assert not LabelImport.objects.exists()


def test_unknown_columns_become_tags_only_if_asked_and_only_if_they_hold_answers(songs):
    table = "file,warm,Nasal,singer,note\nlawson,1,1,Anna,\nJAZZ CLUB AR,0,?,Anna,\n"
    chief = staff()
    read = read_table(table.encode(), name="labels.csv", by=chief)
    assert read.problems == []
    with pytest.raises(ImportRefused, match="“singer” holds what is no answer"):
        write_import(read.pk, by=chief, new_tags=[3])
    write_import(read.pk, by=chief, new_tags=[2])
    tag = TimbreTag.objects.get(slug="nasal")
    assert (tag.name, tag.key) == ("Nasal", "n")
    assert votes()["JAZZ CLUB AR.wav", "nasal"] == ["unsure"]
    assert ("lawson.flac", "singer") not in votes()


def test_the_same_table_again_changes_nothing_and_a_mended_one_changes_what_differs(songs):
    imported(TABLE)
    before = votes(), list(Ballot.objects.values_list("pk", "updated_at"))
    again = imported(TABLE)
    assert again.summary["changes"]["same_ballots"] == 2
    chief = _chief()
    renamed = read_table(TABLE.encode(), name="copy of labels.csv", by=chief)
    write_import(renamed.pk, by=chief)
    assert (votes(), list(Ballot.objects.values_list("pk", "updated_at"))) == before
    mended = imported(TABLE.replace("AR.wav,1,0", "AR.wav,0,0"))
    assert mended.summary["changes"]["changed_votes"] == 1
    assert votes()["JAZZ CLUB AR.wav", "breathy"] == ["no"]
    assert set(Ballot.objects.values_list("imported_from", flat=True)) == {"labels.csv"}


def test_raters_keep_their_answers_and_strangers_are_kept_by_name(songs):
    anna = labeller("anna")
    table = "file,rater,warm\nlawson,Anna@example.org,1\nlawson,who@else.org,0\nlawson,,1\n"
    read = imported(table)
    assert read.summary["unknown_raters"] == 1
    assert Ballot.objects.get(rater=anna).votes.get().answer == "yes"
    sources = Ballot.objects.filter(rater=None).values_list("imported_from", flat=True)
    assert set(sources) == {"labels.csv", "labels.csv: who@else.org"}


NAMES = ("=cmd|' /C calc'!A0", "+1", "-1.flac", "@x", "'quoted", "''=both", "＝wide", "a;b,c\t d")


def random_labels(rng: random.Random) -> None:
    """Clips under awkward names; ballots, skips, decisions of every kind."""
    chief = _chief() or staff()
    raters = [labeller("anna"), labeller("bea"), None, None]
    tags = list(TimbreTag.objects.all())
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number, stem in enumerate((*NAMES, "세레나데", "Beyoncé", "日本", "plain")):
        voice = clip(f"{stem} {number}.flac")
        for rater in raters:
            if rng.random() < 0.4:
                continue
            made = ballot(
                voice,
                rater,
                fields={
                    "imported_from": rng.choice(("", "=old.csv", "who: @x")),
                    "seconds": rng.choice((None, 3.25, 1 / 3)),
                    "skipped": rng.random() < 0.1,
                    "guess_shown": rng.random() < 0.3,
                    "changed_knowing": rng.random() < 0.2,
                    "strategy": rng.choice(("", "control", "gold")),
                },
            )
            moment = start + timedelta(seconds=rng.random() * 1e6)
            Ballot.objects.filter(pk=made.pk).update(created_at=moment, updated_at=moment)
            for tag in tags:
                answer = rng.choice(("yes", "no", "unsure", None))
                if answer:
                    Vote.objects.create(ballot=made, tag=tag, answer=answer)
        if rng.random() < 0.5:
            note = rng.choice(("", "=HYPERLINK(1)", 'said "air", twice', "-"))
            settle(
                voice.pk, rng.choice(tags), rng.choice(("yes", "no", "unsure")), by=chief, note=note
            )


def everything() -> list[object]:
    fields = "pk clip__name rater imported_from strategy seconds created_at updated_at"
    decided = "clip__name tag__slug answer note decided_by decided_at"
    return [
        sorted(Ballot.objects.values_list(*fields.split(), *FLAGS), key=str),
        sorted(Vote.objects.values_list("ballot_id", "tag__slug", "answer"), key=str),
        sorted(Adjudication.objects.values_list(*decided.split()), key=str),
    ]


def wipe() -> None:
    Ballot.objects.all().delete()
    Adjudication.objects.all().delete()
    LabelImport.objects.all().delete()


@pytest.mark.parametrize("seed", range(6))
def test_out_and_back_in_loses_nothing(seed):
    rng = random.Random(seed)
    random_labels(rng)
    before = everything()
    for encoding in ("utf-8-sig", "utf-16", "utf-8", "utf-16-le"):
        options = Options(kind="ballots", encoding=encoding, delimiter=rng.choice(",;\t"))
        raw = b"".join(exported(options))
        same = imported(raw)
        assert same.problems == []
        assert same.summary["changes"]["new_votes"] == same.summary["changes"]["changed_votes"] == 0
        wipe()
        imported(raw)
        assert everything() == before


def test_shares_bring_back_the_same_soft_labels(songs):
    random_labels(random.Random(11))
    before = consensus(None)
    raw = b"".join(exported(Options(kind="shares")))
    wipe()
    imported(raw)
    after = consensus(None)
    assert {clip_id: set(labels) for clip_id, labels in after.items()} == {
        clip_id: set(labels) for clip_id, labels in before.items()
    }
    for clip_id, labels in before.items():
        for slug, label in labels.items():
            found = after[clip_id][slug]
            assert (found.value, found.adjudicated) == (
                pytest.approx(label.value),
                label.adjudicated,
            )
            assert found.adjudicated or found.votes == label.votes


def test_one_row_per_clip_has_file_names_and_0_or_1(songs):
    raters = [labeller(name) for name in "abc"]
    for rater, answer in zip(raters, ("yes", "yes", "no"), strict=True):
        ballot(songs["lawson.flac"], rater, breathy=answer, rough="unsure")
    for rater, answer in zip(raters, ("yes", "no"), strict=False):
        ballot(songs["세레나데 2.wav"], rater, clean=answer)
    raw = b"".join(exported(Options(encoding="utf-8", delimiter=";")))
    assert raw.decode() == (
        "file;warm;bright;breathy;rough;clean\r\nlawson.flac;;;1;?;\r\n세레나데 2.wav;;;;;?\r\n"
    )
    with pytest.raises(NotExportable, match="Latin-1"):
        b"".join(exported(Options(encoding="latin-1")))


@pytest.mark.parametrize("text", [*NAMES, "", "plain", "\t=x", "'", "'''-", "\r@"])
def test_no_cell_is_a_formula_and_none_is_changed(text):
    cell = harmless(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
    assert plain(cell) == text


def test_the_commands_write_and_read_the_same_table(songs, tmp_path: Path, capsys):
    staff()
    ballot(songs["lawson.flac"], labeller("anna"), warm="yes", rough="no")
    before, out = votes(), tmp_path / "labels.csv"
    call_command(
        "export_labels", str(out), "--ballots", "--encoding", "utf-16", "--delimiter", "tab"
    )
    wipe()
    call_command("import_labels", str(out))
    assert votes() == {}
    call_command("import_labels", str(out), "--write")
    assert votes() == before
    out.write_text("file,warm\nlawson,1\nnobody,1\n")
    with pytest.raises(CommandError, match="1 row cannot be written"):
        call_command("import_labels", str(out), "--write")
    assert "Line 3: No clip here is called “nobody”." in capsys.readouterr().out
    call_command("import_labels", str(out), "--write", "--skip-bad-rows")
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_labels", str(tmp_path / "none.csv"))
