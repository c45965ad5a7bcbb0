"""A snippet: heard like a track, searched from by its owner alone, gone after an hour."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import numpy as np
import pytest
import soundfile
from django.core.files.storage import default_storage
from django.utils import timezone

from analysis import background
from analysis.discovery import snippet as snippets
from analysis.discovery.models import Snippet
from analysis.discovery.request import Asker, SearchRequest, Seed
from analysis.discovery.search import search
from analysis.discovery.seeds import SeedNotFound, SeedNotHeard
from analysis.versions import listen_version
from tests.analysis.discovery.catalogue import heard
from tests.factories import ArtistFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "loop.wav"
    time = np.arange(3 * 22_050) / 22_050
    tone = sum(np.sin(2 * np.pi * f * time) for f in (110, 220, 331)) * (1 + np.sin(12 * time)) / 8
    soundfile.write(path, tone, 22_050)
    return path


def receive(path, user):
    with path.open("rb") as file:
        return snippets.receive(file, name=path.name, by=user)


def hear(work):
    background.dispatch(Snippet)
    work.refresh_from_db()
    background.run(Snippet._meta.label, work.pk, work.ticket)
    work.refresh_from_db()


@pytest.mark.django_db(transaction=True)
def test_it_lies_where_the_same_sound_lies_as_a_track(sound):
    from analysis.listening import listen

    artist = ArtistFactory()
    work = receive(sound, artist.user)
    with pytest.raises(SeedNotHeard):
        search(SearchRequest(Asker.of_artist(artist), [Seed.snippet(work.pk)]))
    assert default_storage.exists(work.file)
    kept = work.file
    hear(work)
    assert work.state == "done", work.detail
    as_track = np.array(listen(sound).document["embedding"])
    assert np.dot(work.vector, as_track) == pytest.approx(1.0, abs=1e-3)
    assert not default_storage.exists(kept), "the file is not kept any longer than needed"

    other = ArtistFactory()
    copy = heard(other, as_track, discoverable=True)
    # The space of the track is that of the version that heard the snippet.
    from analysis.discovery.models import EmbeddingSpace
    from analysis.models import Embedding, Report

    for model in (EmbeddingSpace, Embedding, Report):
        model.objects.update(model_version=listen_version())
    request = SearchRequest(
        Asker.of_artist(artist), [Seed.snippet(work.pk)], exclude_same_recording=False
    )
    assert [hit.track for hit in search(request)] == [copy]
    theirs = SearchRequest(Asker.of_artist(other), [Seed.snippet(work.pk)])
    with pytest.raises(SeedNotFound):
        search(theirs)
    Snippet.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(SeedNotFound):
        search(request)


def test_after_an_hour_row_and_file_are_gone(sound):
    work = receive(sound, ArtistFactory().user)
    assert timedelta(minutes=59) < work.expires_at - timezone.now() <= timedelta(hours=1)
    assert snippets.drop_expired() == 0
    Snippet.objects.update(expires_at=timezone.now())
    assert snippets.drop_expired() == 1
    assert not Snippet.objects.exists()
    assert not default_storage.exists(work.file)


def test_what_is_no_sound_is_refused_in_words_and_not_kept(tmp_path):
    path = tmp_path / "song.mp3"
    path.write_bytes(b"<html>\0" * 500)
    with pytest.raises(snippets.SnippetRefused) as refused:
        receive(path, ArtistFactory().user)
    assert len(str(refused.value)) > 20
    assert not Snippet.objects.exists()


def test_what_is_too_large_is_refused(sound):
    with mock.patch.object(snippets, "MOST_BYTES", 100), pytest.raises(snippets.SnippetRefused):
        receive(sound, ArtistFactory().user)
    assert not Snippet.objects.exists()


def test_an_account_has_a_limit(sound):
    user = ArtistFactory().user
    with mock.patch.object(snippets, "MOST_AT_ONCE", 2):
        receive(sound, user)
        receive(sound, user)
        with pytest.raises(snippets.SnippetRefused, match="an hour"):
            receive(sound, user)
        receive(sound, ArtistFactory().user)
