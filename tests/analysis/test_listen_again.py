"""Listening again in bulk: ``manage.py listen_again``."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from analysis import jobs, services
from analysis.models import Job, JobState
from analysis.neural.weights import WeightsUnavailable
from analysis.versions import listen_version
from catalog.models import Revision
from tests.factories import ArtistFactory, JobFactory, ReportFactory, RevisionFactory

pytestmark = pytest.mark.django_db


def heard_by(*versions: str, **fields: object) -> Revision:
    revision = RevisionFactory(**fields)
    for version in versions:
        ReportFactory(content_sha256=revision.content_sha256, model_version=version)
        JobFactory(revision=revision, model_version=version, state=JobState.DONE)
    return revision


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("listen_again", *arguments, stdout=out)
    return out.getvalue().strip()


def queued() -> set[object]:
    found = Job.objects.filter(model_version=listen_version(), state=JobState.QUEUED)
    return set(found.values_list("revision", flat=True))


def test_what_only_other_versions_heard_is_queued_once_behind_all_else():
    old, both, today = (
        heard_by("m2+x"),
        heard_by("m2+x", listen_version()),
        heard_by(listen_version()),
    )
    RevisionFactory()
    assert said() == (
        "1 heard by other versions: 1 queued, 0 waiting already, 0 failed with today's version and "
        "left alone."
    )
    assert queued() == {old.pk}
    assert Job.objects.get(revision=old, state=JobState.QUEUED).priority < 0
    assert "1 heard by other versions: 0 queued, 1 waiting" in said()
    assert Job.objects.filter(revision__in=[both, today]).exclude(state=JobState.DONE).count() == 0
    upload = RevisionFactory()
    services.request_listening([upload.pk])
    job = upload.jobs.get()
    assert jobs.position_and_wait(job)[0] == 1, "an upload does not wait behind them"


def test_the_newest_version_of_a_track_and_with_older_those_before():
    first = heard_by("m2+x")
    second = heard_by("m2+x", track=first.track, number=2)
    said()
    assert queued() == {second.pk}
    assert "2 heard by other versions: 1 queued, 1 waiting" in said("--older")
    assert queued() == {first.pk, second.pk}


def test_failed_ones_are_left_alone_and_lost_reports_made_anew():
    failed = heard_by("m2+x")
    JobFactory(revision=failed, model_version=listen_version(), state=JobState.FAILED)
    lost = heard_by("m2+x")
    JobFactory(revision=lost, model_version=listen_version(), state=JobState.DONE)
    assert "2 heard by other versions: 1 queued, 0 waiting already, 1 failed" in said()
    assert queued() == {lost.pk}


def test_one_artists_only_by_id_mail_or_name():
    ada, bea = ArtistFactory(name="Ada"), ArtistFactory(name="Bea")
    of_ada = heard_by("m2+x", track__artist=ada)
    heard_by("m2+x", track__artist=bea)
    assert "1 queued" in said("--artist", "ada")
    assert queued() == {of_ada.pk}
    for who in (str(ada.pk), ada.user.email.upper()):
        assert "0 queued, 1 waiting" in said("--artist", who)
    with pytest.raises(CommandError, match="no artist 'Cid'"):
        said("--artist", "Cid")
    other = ArtistFactory(name="Ada")
    with pytest.raises(CommandError, match=f"by its id, .*{other.pk}"):
        said("--artist", "Ada")


def test_the_artists_own_click_moves_it_to_the_front():
    revision = heard_by("m2+x")
    old_job = revision.jobs.get()
    said()
    services.listen_again(old_job)
    job = revision.jobs.get(model_version=listen_version())
    assert (job.state, job.priority) == (JobState.QUEUED, 0)
    Job.objects.filter(pk=job.pk).update(state=JobState.FAILED, priority=-10)
    job.refresh_from_db()
    services.listen_again(job)
    job.refresh_from_db()
    assert (job.state, job.priority) == (JobState.QUEUED, 0)


def test_without_the_model_nothing_is_queued(monkeypatch):
    heard_by("m2+x")

    def missing() -> str:
        raise WeightsUnavailable("ears-1.safetensors is missing")

    monkeypatch.setattr("analysis.listening_again.listen_version", missing)
    with pytest.raises(CommandError, match=r"cannot be used: .*missing"):
        said()
    assert not Job.objects.filter(state=JobState.QUEUED).exists()
