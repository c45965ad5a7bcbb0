"""The lyrics of a track: who may see and change them, saving, importing, going back, files."""

from __future__ import annotations

import json
import uuid

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from analysis import lyrics_keeping, lyrics_services, lyrics_views
from analysis.lyrics_keeping import LyricsConflict, save_edit
from analysis.lyrics_models import LyricsVersion
from analysis.lyrics_selectors import chosen_language, lyrics_page
from analysis.models import Job, JobState, Stage
from analysis.services import derived_name
from analysis.versions import align_version, lyrics_version
from sonicsite.limits import TokenBuckets
from tests.factories import JobFactory, ReportFactory, RevisionFactory

pytestmark = pytest.mark.django_db

LINE = {
    "start_s": 1.0,
    "end_s": 3.0,
    "text": "I'm sitting here",
    "words": [
        {"start_s": 1.0, "end_s": 1.4, "text": "I'm", "confidence": 0.9},
        {"start_s": 1.4, "end_s": 2.2, "text": "sitting", "confidence": 0.31},
        {"start_s": 2.2, "end_s": 3.0, "text": "here", "confidence": 0.8},
    ],
}


def heard_document(**changes: object) -> dict[str, object]:
    return {
        "engine": "faster-whisper",
        "model": "base",
        "language": "en",
        "language_source": "detected",
        "language_confidence": 0.87,
        "singing": True,
        "lines": [LINE],
        "duration_s": 30.0,
        "stems": {"engine": "starter", "engine_label": "Starter", "is_starter": True},
        **changes,
    }


@pytest.fixture(autouse=True)
def _many_requests(monkeypatch):
    for name in ("_LISTENINGS", "_SAVES"):
        monkeypatch.setattr(lyrics_views, name, TokenBuckets(rate=1.0, burst=1_000))


@pytest.fixture
def revision():
    return RevisionFactory()


@pytest.fixture
def client(revision) -> Client:
    return logged_in(revision)


def logged_in(revision) -> Client:
    client = Client()
    client.force_login(revision.artist.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def heard(revision, language: str = "", **changes: object):
    """As if a job had heard the words of the revision."""
    version = lyrics_version(language)
    JobFactory(
        revision=revision,
        stage=Stage.LYRICS,
        model_version=version,
        state=JobState.DONE,
        options={"language": language},
        finished_at=timezone.now(),
    )
    return ReportFactory(
        content_sha256=revision.content_sha256,
        stage=Stage.LYRICS,
        model_version=version,
        document=heard_document(**changes),
        genre="",
    )


def address(revision, name: str = "") -> str:
    return f"/tracks/{revision.track_id}/lyrics/{name}"


def page(client, revision) -> str:
    answer = client.get(address(revision))
    assert answer.status_code == 200
    return answer.content.decode()


def post_lines(client, revision, lines: object, *, base: object = 0):
    body = json.dumps({"base": base, "lines": lines})
    return client.post(address(revision, "save/"), body, content_type="application/json")


class TestWhoMay:
    @pytest.mark.parametrize(
        ("method", "name"),
        [
            ("get", ""),
            ("get", "status/"),
            ("get", "export/lrc/"),
            ("get", "voice.flac"),
            ("post", "listen/"),
            ("post", "again/"),
            ("post", "stop/"),
            ("post", "save/"),
            ("post", "import/"),
            ("post", "restore/"),
        ],
    )
    def test_others_lyrics_do_not_exist(self, revision, method, name):
        heard(revision)
        stranger = logged_in(RevisionFactory())
        assert getattr(stranger, method)(address(revision, name)).status_code == 404
        visitor = getattr(Client(), method)(address(revision, name))
        assert visitor.status_code == 302
        assert "/accounts/login/" in visitor["Location"]
        assert not LyricsVersion.objects.exists()
        assert Job.objects.count() == 1


class TestPage:
    def test_before_anything_was_heard(self, client, revision):
        text = page(client, revision)
        assert "No lyrics yet" in text
        assert "Listen for the words" in text
        assert client.get(address(revision, "export/lrc/")).status_code == 404

    def test_what_was_heard_by_whom_and_that_it_may_be_wrong(self, client, revision):
        heard(revision)
        text = page(client, revision)
        assert "I&#x27;m sitting here" in text
        assert "Whisper base" in text
        assert "faster-whisper" in text
        assert "English" in text
        assert "87 % sure" in text
        assert "it may be" in text
        assert "(1 word)" in text, "one word is marked as unsure"

    def test_no_singing(self, client, revision):
        heard(revision, singing=False, lines=[], language="")
        text = page(client, revision)
        assert "No singing found" in text
        assert 'id="lyrics-title"' not in text

    def test_untrusted_text_is_escaped_everywhere(self, client, revision):
        evil = '</script><img src=x onerror="alert(1)">'
        heard(revision, lines=[{**LINE, "text": evil, "words": []}])
        text = page(client, revision)
        assert "<img src=x" not in text
        assert "&lt;img src=x" in text

    def test_the_page_of_a_title_with_its_tab(self, client, revision):
        heard(revision)
        text = page(client, revision)
        assert 'aria-current="page">Lyrics</a>' in text
        assert text.count('aria-label="Pages of this track"') == 1


class TestAsking:
    def test_a_language_is_kept_and_heard_separately(self, client, revision):
        client.post(address(revision, "listen/"), {"language": "fr"})
        job = Job.objects.get()
        assert (job.stage, job.model_version) == (Stage.LYRICS, lyrics_version("fr"))
        assert job.options == {"language": "fr"}
        assert chosen_language(revision.track) == "fr"
        assert "Waiting to be heard" in page(client, revision)
        newer = RevisionFactory(track=revision.track, number=2)
        assert lyrics_services.request_lyrics(newer).options == {"language": "fr"}

    def test_an_unknown_language_is_refused(self, client, revision):
        client.post(address(revision, "listen/"), {"language": "xx"}, follow=True)
        assert not Job.objects.exists()

    def test_the_language_that_was_asked_for_last_is_shown(self, client, revision):
        heard(revision, "fr", lines=[{**LINE, "text": "Me voici", "words": []}])
        heard(revision, "en")
        assert "sitting here" in page(client, revision)
        lyrics_services.request_lyrics(revision, language="fr")
        assert "Me voici" in page(client, revision)

    def test_others_hearings_of_the_same_content_are_not_shown(self, client, revision):
        other = RevisionFactory(content_sha256=revision.content_sha256)
        heard(other)
        assert "No lyrics yet" in page(client, revision)

    def test_progress_and_its_end(self, client, revision):
        job = lyrics_services.request_lyrics(revision, language="")
        Job.objects.filter(pk=job.pk).update(
            state=JobState.RUNNING, percent=40, message="Writing the words down"
        )
        text = client.get(address(revision, "status/")).content.decode()
        assert 'hx-trigger="every 2s"' in text
        assert 'value="40"' in text
        separation = JobFactory(
            revision=revision, stage=Stage.SEPARATE, state=JobState.RUNNING, percent=70
        )
        Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED, waits_for=separation)
        assert "Taking the voice out of the mix first" in page(client, revision)
        Job.objects.filter(pk=job.pk).update(state=JobState.DONE, waits_for=None)
        answer = client.get(address(revision, "status/"))
        assert answer["HX-Trigger"] == "lyrics-over"
        assert "every 2s" not in answer.content.decode()

    def test_a_failure_is_said_and_tried_again(self, client, revision):
        job = lyrics_services.request_lyrics(revision, language="de")
        Job.objects.filter(pk=job.pk).update(state=JobState.FAILED, reason="The disk is <full>.")
        assert "The disk is &lt;full&gt;." in page(client, revision)
        client.post(address(revision, "again/"))
        job.refresh_from_db()
        assert (job.state, job.options) == (JobState.QUEUED, {"language": "de"})

    def test_stopping(self, client, revision):
        job = lyrics_services.request_lyrics(revision, language="")
        client.post(address(revision, "stop/"))
        job.refresh_from_db()
        assert job.state == JobState.CANCELLED
        assert "You stopped it." in page(client, revision)

    def test_too_much_at_once(self, client, revision, monkeypatch):
        monkeypatch.setattr(lyrics_views, "_LISTENINGS", TokenBuckets(rate=0.1, burst=1))
        client.post(address(revision, "listen/"), {"language": "fr"})
        answer = client.post(address(revision, "listen/"), {"language": "de"}, follow=True)
        assert "That was a lot at once" in answer.content.decode()
        assert Job.objects.count() == 1


class TestSaving:
    def test_an_edit_stands_beside_what_was_heard(self, client, revision):
        report = heard(revision)
        answer = post_lines(client, revision, [{**LINE, "text": "I'm standing here"}])
        assert answer.status_code == 200
        kept = answer.json()
        assert kept["number"] == 1
        assert [word["text"] for word in kept["lines"][0]["words"]] == ["I'm", "standing", "here"]
        version = LyricsVersion.objects.get()
        assert (version.author, version.origin) == (revision.artist.user, "edited")
        assert version.language == "en"
        text = page(client, revision)
        assert "standing here" in text
        assert "Your version" in text
        report.refresh_from_db()
        assert report.document["lines"] == [LINE]

    def test_a_new_hearing_never_overwrites_an_edit(self, client, revision):
        heard(revision)
        post_lines(client, revision, [{**LINE, "text": "mine"}])
        heard(revision, "fr", lines=[{**LINE, "text": "another", "words": []}])
        assert lyrics_page(revision).document["lines"][0]["text"] == "mine"

    def test_who_saves_over_something_unseen_is_told(self, client, revision):
        heard(revision)
        assert post_lines(client, revision, [{**LINE, "text": "first"}]).status_code == 200
        answer = post_lines(client, revision, [{**LINE, "text": "second"}], base=0)
        assert answer.status_code == 409
        assert "nothing was overwritten" in answer.json()["detail"]
        assert answer.json()["number"] == 1
        assert lyrics_page(revision).document["lines"][0]["text"] == "first"
        with pytest.raises(LyricsConflict):
            save_edit(revision, [LINE], base=7, author=None)

    def test_mistakes_are_named_by_line(self, client, revision):
        answer = post_lines(client, revision, [LINE, {**LINE, "end_s": 0.5}, {**LINE, "text": " "}])
        assert answer.status_code == 400
        assert [error["line"] for error in answer.json()["errors"]] == [2, 3]
        assert not LyricsVersion.objects.exists()

    @pytest.mark.parametrize(
        "body",
        ["", "[]", "{", "null", '{"base": true, "lines": []}', '{"base": "0"}', "[" * 50_000],
    )
    def test_what_is_no_save_is_refused(self, client, revision, body):
        answer = client.post(address(revision, "save/"), body, content_type="application/json")
        assert answer.status_code == 400
        assert answer.json()["detail"]

    def test_too_large_a_body(self, client, revision):
        assert post_lines(client, revision, ["x" * 3_200_000]).status_code == 413

    def test_old_versions_are_dropped(self, revision, monkeypatch):
        monkeypatch.setattr(lyrics_keeping, "VERSIONS_KEPT", 3)
        for number in range(6):
            save_edit(revision, [LINE], base=number, author=None)
        numbers = list(revision.lyrics_versions.values_list("number", flat=True))
        assert numbers == [6, 5, 4]


class TestGoingBack:
    def test_to_the_machines_and_to_an_earlier_version(self, client, revision):
        heard(revision)
        post_lines(client, revision, [{**LINE, "text": "mine"}])
        client.post(address(revision, "restore/"), {"base": "1"})
        shown = lyrics_page(revision)
        assert (shown.is_own, shown.number) == (False, 2)
        assert "sitting here" in page(client, revision)
        client.post(address(revision, "restore/"), {"base": "2", "number": "1"})
        assert lyrics_page(revision).document["lines"][0]["text"] == "mine"
        answer = client.post(address(revision, "restore/"), {"base": "2"}, follow=True)
        assert "nothing was overwritten" in answer.content.decode()
        assert lyrics_page(revision).number == 3

    @pytest.mark.parametrize(
        "fields", [{}, {"base": "x"}, {"base": "0", "number": "9"}, {"base": "0", "number": "²"}]
    )
    def test_to_what_does_not_exist(self, client, revision, fields):
        assert client.post(address(revision, "restore/"), fields).status_code == 404


class TestImporting:
    def test_lyrics_of_an_older_version_are_timed_to_the_new_one(self, client, revision):
        post_lines(client, revision, [LINE, {**LINE, "start_s": 4, "end_s": 5, "text": "two"}])
        newer = RevisionFactory(track=revision.track, number=2)
        answer = client.get(f"{address(newer)}?revision=2")
        assert "Version 1 of this track has lyrics of yours." in answer.content.decode()
        client.post(f"{address(newer, 'carry-over/')}?revision=2")
        job = Job.objects.get()
        assert (job.revision, job.options["lines"]) == (newer, ["I'm sitting here", "two"])
        stranger = logged_in(RevisionFactory())
        assert stranger.post(address(newer, "carry-over/")).status_code == 404

    def test_a_pasted_text_waits_to_be_timed(self, client, revision):
        answer = client.post(
            address(revision, "import/"), {"text": "[Verse]\nOne\n\nTwo\n", "language": "en"}
        )
        assert answer.status_code == 302
        job = Job.objects.get()
        assert job.model_version == align_version()
        assert job.options == {
            "language": "en",
            "lines": ["One", "Two"],
            "author": revision.artist.user.pk,
        }
        ticket = uuid.uuid4()
        Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, ticket=ticket)
        client.post(address(revision, "import/"), {"text": "Three", "language": "en"})
        job.refresh_from_db()
        assert (job.state, job.ticket, job.options["lines"]) == ("queued", None, ["Three"])

    def test_a_file_with_times_is_kept_as_it_is(self, client, revision):
        file = SimpleUploadedFile("song.lrc", b"[00:01.00]One\n[00:02.50]Two\n[00:04.00]\n")
        client.post(address(revision, "import/"), {"file": file, "keep_times": "on", "base": "0"})
        version = LyricsVersion.objects.get()
        assert version.origin == "imported"
        assert [(line["start_s"], line["end_s"], line["text"]) for line in version.lines] == [
            (1.0, 2.5, "One"),
            (2.5, 4.0, "Two"),
        ]
        assert not Job.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({}, "Paste your text, or choose a file."),
            ({"text": "a", "keep_times": "on"}, "There are no times in this text."),
            ({"text": "[00:01.00]a\n[99:00.00]b", "keep_times": "on"}, "outside the song"),
            ({"text": "fine\n" + "y " * 300}, "Line 2: It is longer than 500"),
            ({"text": "a line of words\n" * 1_990}, "20,000 characters"),
            ({"text": "a", "language": "xx"}, "Select a valid choice"),
        ],
    )
    def test_what_cannot_be_taken_is_refused_in_words(self, client, revision, fields, message):
        answer = client.post(address(revision, "import/"), fields)
        assert answer.status_code == 422
        assert message in answer.content.decode()
        assert not LyricsVersion.objects.exists()
        assert not Job.objects.exists()

    def test_a_binary_file(self, client, revision):
        file = SimpleUploadedFile("song.txt", b"\0\1\2" * 100)
        answer = client.post(address(revision, "import/"), {"file": file})
        assert "This file is no text" in answer.content.decode()


class TestFiles:
    @pytest.mark.parametrize(
        ("kind", "content_type", "beginning"),
        [
            ("lrc", "text/plain; charset=utf-8", "[ar:"),
            ("enhanced-lrc", "text/plain; charset=utf-8", "[ar:"),
            ("srt", "application/x-subrip; charset=utf-8", "1\r\n00:00:01,000 --> 00:00:03,000"),
            ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n"),
            ("txt", "text/plain; charset=utf-8", "I'm sitting here\n"),
        ],
    )
    def test_every_format_is_saved(self, client, revision, kind, content_type, beginning):
        heard(revision)
        answer = client.get(address(revision, f"export/{kind}/"))
        assert answer["Content-Type"] == content_type
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer.content.decode().startswith(beginning)

    def test_what_is_saved_is_what_is_shown(self, client, revision):
        heard(revision)
        post_lines(client, revision, [{**LINE, "text": "mine"}])
        assert client.get(address(revision, "export/txt/")).content == b"mine\n"
        assert client.get(address(revision, "export/docx/")).status_code == 404
        assert client.get(address(revision, "voice.flac")).status_code == 404

    def test_the_voice_alone_is_played_where_there_are_stems(self, client, revision):
        heard(revision)
        assert "Voice alone" not in page(client, revision)
        document = {"stems": [{"name": "vocals", "file": "vocals.flac"}]}
        report = ReportFactory(
            content_sha256=revision.content_sha256,
            stage=Stage.SEPARATE,
            document=document,
            genre="",
        )
        default_storage.save(derived_name(report, "vocals.flac"), ContentFile(b"fLaC0123456789"))
        assert "Voice alone" in page(client, revision)
        answer = client.get(address(revision, "voice.flac"), headers={"Range": "bytes=4-7"})
        assert (answer.status_code, answer["Content-Type"]) == (206, "audio/flac")
        assert b"".join(answer.streaming_content) == b"0123"
