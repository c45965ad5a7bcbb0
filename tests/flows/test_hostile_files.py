"""Everything bad that can be uploaded or named on the command line: a clear answer, nothing lost.

The files and what must come of them are in :mod:`tests.hostile`.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import av
import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from analysis import services as listening_services
from analysis.models import Job, JobState, Report
from catalog import services
from catalog.models import Album, Revision, Track, Upload, UploadState
from tests import hostile
from tests.analysis.sound.demo_truth import demo_tracks
from tests.analysis.sound.signals import encode, write
from tests.catalog.test_tus import create, patch
from tests.hostile import HostileFile

ROOT = Path(__file__).resolve().parents[2]
OF_MACHINES = re.compile(
    r"Traceback|Error|Exception|Errno|\berrno\b|0x[0-9a-f]{4}|/tmp|None|nan\b|av\.|ffmpeg|codec_"
)


def assert_plain(words: str) -> None:
    """One or two sentences for people: what is wrong, and what to do."""
    sentences = re.findall(r"[^.!?]+(?:[.!?](?=\d)[^.!?]+)*[.!?](?=\s|$)", words)
    assert 1 <= len(sentences) <= 2, words
    assert "".join(sentences) == words
    assert words[0].isupper()
    assert 20 < len(words) < 260
    assert not OF_MACHINES.search(words), words


@pytest.fixture
def artist(transactional_db):
    user = services.create_account(
        email="ann@example.com", password="a-long-enough-passphrase", artist_name="Ann"
    )
    return user.artist


@pytest.fixture
def browser(artist) -> Client:
    client = Client()
    client.force_login(artist.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def send(browser: Client, file: HostileFile, data: bytes) -> tuple[int, dict[str, str]]:
    """Upload by the resumable protocol in two pieces; the last answer's status and problem."""
    names = {"filename": file.name, **({"folder": file.folder} if file.folder else {})}
    answer = create(browser, len(data), **names)
    if answer.status_code == 201:
        url, half = answer["Location"], len(data) // 2
        answer = patch(browser, url, data[:half], 0) if half else answer
        answer = patch(browser, url, data[half:], half)
    return answer.status_code, answer.json() if answer.status_code >= 400 else {}


def listen(revision: Revision) -> Job:
    """What a worker does with the revision's job."""
    job = Job.objects.get(revision=revision)
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    listening_services.run(job.pk, ticket)
    job.refresh_from_db()
    return job


def library_pages(browser: Client) -> str:
    """All pages of the library, one after another."""
    pages, number = "", 1
    while True:
        answer = browser.get(reverse("library"), {"page": number})
        assert answer.status_code == 200
        pages += answer.content.decode()
        number += 1
        if f"page={number}" not in pages:
            return pages


def assert_shown_escaped(text: str, page: str) -> None:
    assert escape(text) in page
    if escape(text) != text:
        assert text not in page


def stored(folder: str) -> set[str]:
    """Names of all files below a folder of the storage."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return set()
    return set(files).union(*(stored(f"{folder}/{name}") for name in folders))


def test_a_batch_by_the_page(artist, browser, settings, subtests):
    """All of it in one batch, a good song before and after: only what is bad is refused."""
    good = [
        HostileFile("first", "01 First.wav", hostile.wav(2.0, seed=901)),
        HostileFile("last", "99 - Last.wav", hostile.wav(2.0, seed=902)),
    ]
    tracks: dict[str, Track] = {}
    for file in [good[0], *hostile.ALL, good[1]]:
        with subtests.test("upload", file=file.slug):
            status, problem = send(browser, file, file.make())
            upload = Upload.objects.latest("created_at")
            recent = browser.get(reverse("upload_recent"))
            assert recent.status_code == 200
            assert_shown_escaped(upload.filename, recent.content.decode())
            assert list(settings.UPLOAD_DIR.glob("*")) == []
            if file.heard or file.late:
                assert status == 204, problem
                assert upload.state == UploadState.ACCEPTED
                tracks[file.slug] = upload.revision.track
            else:
                assert status == 422
                assert (upload.state, upload.revision) == (UploadState.REFUSED, None)
                assert problem["code"] == upload.reason_code
                assert upload.reason_code in file.codes
                assert problem["detail"] == upload.reason
                assert_plain(upload.reason)
                assert file.words in upload.reason
                assert escape(upload.reason) in recent.content.decode()

    # Of the good sounds under bad names three are enough: the others wait in the queue.
    names = [file for file in hostile.NAMES if file.slug in ("html", "quotes", "right_to_left")]
    listened = [good[0], *hostile.CONTENTS, *names, good[1]]
    for file in listened:
        if file.slug not in tracks:
            continue
        with subtests.test("listen", file=file.slug):
            track = tracks[file.slug]
            job = listen(track.revisions.get())
            page = browser.get(track.get_absolute_url())
            assert page.status_code == 200
            assert_shown_escaped(track.title, page.content.decode())
            if file.heard:
                assert (job.state, job.reason) == (JobState.DONE, "")
                assert browser.get(reverse("report_json", args=[track.pk])).status_code == 200
            else:
                assert job.state == JobState.FAILED
                assert job.reason_code in file.codes
                assert_plain(job.reason)
                assert file.words in job.reason
                assert escape(job.reason) in page.content.decode()
                assert not Report.objects.filter(
                    content_sha256=job.revision.content_sha256
                ).exists()

    kept = {str(revision.pk) for revision in Revision.objects.all()}
    assert len(kept) == len(tracks) == Track.objects.count()
    assert stored("audio") == kept
    assert len(stored("derived")) == 5  # each report has files of the same five names
    assert Report.objects.count() == sum(file.heard for file in listened)
    waiting = Job.objects.filter(state=JobState.QUEUED)
    assert waiting.count() == len(hostile.NAMES) - len(names)
    for job in waiting:
        track = job.revision.track
        page = browser.get(track.get_absolute_url())
        assert page.status_code == 200
        assert_shown_escaped(track.title, page.content.decode())
    shown = library_pages(browser)
    for track in Track.objects.all():
        assert_shown_escaped(track.title, shown)
    assert {track.title for track in Track.objects.all()} >= {"First", "Last"}


def test_what_names_become(artist, browser):
    """A path, an address or a direction mark in a name is only letters of a title."""
    titles = {}
    for file in hostile.NAMES:
        send(browser, file, file.make())
        titles[file.slug] = Upload.objects.latest("created_at").revision.track.title
    assert titles["path_parts"] == "passwd"
    assert titles["windows_path"] == "y"
    assert titles["quotes"] == 'it\'s "my" `song`'
    assert titles["emoji"] == "\U0001f3b5 \U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert titles["three_hundred_letters"] == "x" * 296
    assert titles["control_characters"] == "a b c d [31m"
    assert titles["right_to_left"] == "harmlessvaw.exe"
    assert titles["dots"] == "Untitled"
    for name in (revision.file.name for revision in Revision.objects.all()):
        assert re.fullmatch(r"audio/\d+/[0-9a-f-]{36}", name)


def test_hostile_tags_are_cut_and_bad_covers_left_out(artist, browser):
    wanted = {
        "tags_of_nul_and_novels", "cover_bomb", "broken_cover", "gigantic_cover",
        "cover_of_odd_exif",
    }  # fmt: skip
    for file in hostile.CONTENTS:
        if file.slug in wanted:
            assert send(browser, file, file.make())[0] == 204, file.slug
    artwork = {album.title: bool(album.artwork) for album in Album.objects.all()}
    assert set(artwork) == {"Tags", "Bombs", "Torn", "Covers", "Exif"}
    assert not any(artwork.values())
    novel = Track.objects.get(album__title="Tags")
    assert novel.title.startswith("<b>x</b>A A A")
    assert len(novel.title) <= 300
    assert (novel.isrc, novel.release_date) == ("", None)
    page = browser.get(novel.get_absolute_url()).content.decode()
    assert "&lt;b&gt;x&lt;/b&gt;A A" in page
    assert "<b>x</b>" not in page


def test_a_batch_by_the_plain_form(artist, browser, settings):
    """Without JavaScript: the good files of a form stay, the bad ones are told apart."""
    by_slug = {file.slug: file for file in hostile.ALL}
    slugs = ["text_named_mp3", "html", "empty", "wav_cut", "quotes", "video", "emoji", "zip_bomb"]
    files = [
        SimpleUploadedFile(by_slug[slug].name, by_slug[slug].make(), content_type="audio/wav")
        for slug in slugs
    ]
    page = browser.post(reverse("upload"), {"files": files}, follow=True).content.decode()
    assert "3 files are in your library now." in page
    assert "5 files were not taken." in page
    for upload in Upload.objects.all():
        assert_shown_escaped(upload.filename, page)
        if upload.state == UploadState.REFUSED:
            assert_plain(upload.reason)
            assert escape(upload.reason) in page
    assert stored("audio") == {str(revision.pk) for revision in Revision.objects.all()}
    assert list(settings.UPLOAD_DIR.glob("*")) == []


# --- The command ----------------------------------------------------------------------------------


def not_json(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")


def analyze(*arguments: str | Path) -> tuple[int, str, str]:
    """The command in this process: exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("analyze", "--json", "--", *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue()


def assert_refused_in_a_line(code: int, out: str, err: str) -> str:
    assert (code, out) == (2, "")
    assert err.endswith("\n")
    (line,) = err.splitlines()
    assert_plain(line)
    return line


@pytest.mark.parametrize("file", hostile.CONTENTS, ids=lambda file: file.slug)
def test_by_the_command(file, tmp_path):
    path = tmp_path / file.name
    path.write_bytes(file.make())
    code, out, err = analyze(path)
    if file.heard:
        assert (code, err) == (0, "")
        document = json.loads(out, parse_constant=not_json)
        assert document["file"]["duration_s"] > 1.0
        assert sum(document["genre"]["probabilities"].values()) == pytest.approx(1.0, abs=1e-3)
        assert len(document["embedding"]) == 128
    else:
        assert file.words in assert_refused_in_a_line(code, out, err)


@pytest.mark.parametrize("file", hostile.NAMES, ids=lambda file: file.slug)
def test_names_on_the_command_line(file, tmp_path, monkeypatch):
    """Whatever of these names the system can hold is only a name."""
    monkeypatch.chdir(tmp_path)
    name = file.name.replace("\x00", "\x01").replace("/", "\u2215")
    if name == "..":
        assert_refused_in_a_line(*analyze(name))
        return
    if len(name) > 255:
        assert_refused_in_a_line(*analyze(name))
        name = name[-255:]
    Path(name).write_bytes(b"Not a sound at all. " * 20)
    refusal = assert_refused_in_a_line(*analyze(name))
    assert refusal.startswith("This is not a sound file.")


def run(*arguments: str | bytes | Path, cwd: Path) -> tuple[int, str, str]:
    """The command as people start it."""
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "analyze", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "EMBEDDED_DATABASE_URL": "postgresql://nobody@/x?host=/nonexistent"},
    )
    return done.returncode, done.stdout, done.stderr


def test_a_pipe_that_nobody_writes_to_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    line = assert_refused_in_a_line(*run("pipe.wav", "--json", cwd=tmp_path))
    assert line.startswith("This is not a file.")


def test_folders_devices_and_missing_files(tmp_path):
    for path in (tmp_path, "/dev/zero", "/dev/null", tmp_path / "gone.wav", "", "a\0b.wav"):
        assert_refused_in_a_line(*analyze(path))


def test_a_real_process_hears_a_file_with_an_awkward_name(tmp_path):
    name = b"-\xff\xfe \xf0\x9f\x8e\xb5 --json.wav"  # not even UTF-8
    (tmp_path / os.fsdecode(name)).write_bytes(hostile.wav(1.5, seed=77)())
    code, out, err = run("--json", "--", name, cwd=tmp_path)
    assert (code, err) == (0, "")
    assert json.loads(out, parse_constant=not_json)["file"]["codec"] == "pcm_s16le"


def test_wrong_arguments_are_told_in_one_line(tmp_path):
    for arguments in ([], ["a.wav", "--jsonn"]):
        code, out, err = run(*arguments, cwd=tmp_path)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert "Traceback" not in err


# --- The same song in four formats ----------------------------------------------------------------


def song_48k(path: Path) -> np.ndarray:
    """A song of the demo package as FFmpeg's own decoder gives it, float32 (2, n) at 48 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=48_000)
        frames = [
            out.to_ndarray()
            for frame in container.decode(audio=0)
            for out in resampler.resample(frame)
        ]
    return np.concatenate(frames, axis=1)


def test_one_song_in_four_formats_is_heard_the_same(tmp_path):
    (truth,) = [track for track in demo_tracks() if track.path.stem == "nostalgic_acoustic_1"]
    sound = song_48k(truth.path)
    mp3, m4a, opus, wav = (tmp_path / f"x.{ending}" for ending in ("mp3", "m4a", "opus", "wav"))
    options = {"rate": 48_000, "layout": "stereo"}
    encode(mp3, sound, codec="libmp3lame", container="mp3", **options)
    encode(m4a, sound, codec="aac", container="ipod", **options)
    encode(opus, sound, codec="libopus", container="ogg", **options)
    write(wav, np.clip(sound, -1, 1), rate=48_000, subtype="PCM_24")
    heard = {}
    for path in (mp3, m4a, opus, wav):
        code, out, err = analyze(path)
        assert (code, err) == (0, ""), path
        heard[path.suffix] = json.loads(out, parse_constant=not_json)
    files = {suffix: document["file"] for suffix, document in heard.items()}
    assert {suffix: file["codec"] for suffix, file in files.items()} == {
        ".mp3": "mp3", ".m4a": "aac", ".opus": "opus", ".wav": "pcm_s24le",
    }  # fmt: skip
    assert (files[".wav"]["bit_depth"], files[".opus"]["sample_rate"]) == (24, 48_000)
    reference = heard[".wav"]
    for document in heard.values():
        assert document["file"]["duration_s"] == pytest.approx(sound.shape[1] / 48_000, abs=0.1)
        # Tempo and key as the package's licence file states them.
        assert document["tempo"]["bpm"] == pytest.approx(truth.tempo_bpm, rel=0.04)
        assert (document["key"]["tonic"], document["key"]["mode"]) == (truth.tonic, truth.mode)
        # Of a song that is like no genre much, the first of three that are alike may be another.
        moved = [
            abs(likely - reference["genre"]["probabilities"][genre])
            for genre, likely in document["genre"]["probabilities"].items()
        ]
        assert sum(moved) / 2 < 0.05
        assert document["loudness"]["integrated_lufs"] == pytest.approx(
            reference["loudness"]["integrated_lufs"], abs=0.5
        )
