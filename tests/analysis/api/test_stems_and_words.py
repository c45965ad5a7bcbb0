"""Stems, lyrics and timbre."""

from __future__ import annotations

import pytest

from analysis.lyrics_models import LyricsVersion
from analysis.models import Job
from tests.analysis.api import analysed
from tests.analysis.api.conftest import V1


@pytest.fixture
def base(world):
    return f"{V1}revisions/{world.revision.pk}/"


def test_stems_are_listed_by_engine_and_downloaded_in_ranges(world, base):
    owner = world.clients["owner"]
    analysed.separated(world.revision, "htdemucs", b"another engine's" * 40)
    rows = owner.get(f"{base}stems/").json()["results"]
    assert [row["engine"] for row in rows] == ["htdemucs", "starter"]
    stem = rows[1]["stems"][0]
    assert (stem["name"], stem["bytes"], stem["level_db"]) == ("vocals", 2_048, -18.0)
    whole = owner.get(stem["url"])
    assert whole["Content-Type"] == "audio/flac"
    assert b"".join(whole.streaming_content) == analysed.FLAC
    assert "Slow Light - Harbour (vocals) [starter].flac" in whole["Content-Disposition"]
    part = owner.get(stem["url"], headers={"Range": "bytes=250-259"})
    assert (part.status_code, part["Content-Range"]) == (206, "bytes 250-259/2048")
    assert b"".join(part.streaming_content) == analysed.FLAC[250:260]
    assert owner.get(stem["url"], headers={"If-None-Match": whole["ETag"]}).status_code == 304
    assert owner.get(stem["url"], headers={"Range": "bytes=9000-"}).status_code == 416
    newest = owner.get(f"{base}stems/vocals/")
    assert b"".join(newest.streaming_content).startswith(b"another engine's")
    for missing in ("stems/kazoo/", "stems/vocals/?engine=none"):
        assert owner.get(base + missing).status_code == 404


def test_lyrics_are_read_kept_and_never_written_over(world, base):
    owner = world.clients["owner"]
    found = owner.get(f"{base}lyrics/").json()
    assert (found["number"], found["is_own"], found["language"]) == (1, True, "en")
    assert found["lines"] == [analysed.LINE]
    new = [{"start_s": 4.0, "end_s": 6.0, "text": "By the  sea\0"}]
    kept = owner.put(f"{base}lyrics/", {"lines": new, "base": 1}, format="json")
    assert kept.status_code == 200, kept.json()
    assert (kept.json()["number"], kept.json()["lines"][0]["text"]) == (2, "By the sea")
    assert owner.get(f"{base}lyrics/")["ETag"] == kept["ETag"]
    late = owner.put(f"{base}lyrics/", {"lines": new, "base": 1}, format="json")
    assert (late.status_code, late.json()["reason"]) == (409, "newer_lyrics")
    bad = [*new, {"start_s": 4.0, "end_s": 60.0, "text": "Too late"}, "x"]
    refused = owner.put(f"{base}lyrics/", {"lines": bad}, format="json")
    assert refused.status_code == 400
    assert [error["field"] for error in refused.json()["errors"]] == ["lines.1", "lines.2"]
    assert LyricsVersion.objects.filter(revision=world.revision).count() == 2
    version = LyricsVersion.objects.get(number=2)
    assert (version.author, version.language) == (world.artist.user, "en")


def test_lyrics_as_files(world, base):
    owner = world.clients["owner"]
    srt = owner.get(f"{base}lyrics/files/srt/")
    assert srt["Content-Type"].startswith("application/x-subrip")
    assert "00:00:01,000 --> 00:00:03,000\r\nI'm sitting here" in srt.content.decode()
    assert "[00:01.00]I'm sitting here" in owner.get(f"{base}lyrics/files/lrc/").content.decode()
    assert "Harbour" in srt["Content-Disposition"]
    assert owner.get(f"{base}lyrics/files/doc/").status_code == 404
    LyricsVersion.objects.all().delete()
    assert owner.get(f"{base}lyrics/files/srt/").status_code == 404
    assert owner.get(f"{base}lyrics/").status_code == 404


def test_a_text_is_timed_by_a_job(world, base):
    owner = world.clients["owner"]
    body = {"text": "[Chorus]\nI'm sitting here\n\nBy the sea", "language": "en"}
    answer = owner.post(f"{base}lyrics/align/", body, format="json")
    assert answer.status_code == 202, answer.json()
    job = Job.objects.get(pk=answer.json()["id"])
    assert job.options["lines"] == ["I'm sitting here", "By the sea"]
    for text in ("", " \n ", "[Chorus]", "x" * 20_001, "a" * 600):
        refused = owner.post(f"{base}lyrics/align/", {"text": text}, format="json")
        assert refused.status_code == 400, text[:10]


def test_timbre(world, base):
    found = world.clients["partner"].get(f"{base}timbre/").json()
    assert (found["singing"], found["sung_s"]) == (True, 15.0)
    assert found["summary"] == "Clearly warm."
    warm = found["tags"][0]
    assert (warm["probability"], warm["low"], warm["high"]) == (0.86, 0.7, 0.93)
    assert len(found["document"]["segments"]) == 3
