"""From verdicts on the pages to new ears: which verdicts count, and what the command says."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from analysis.background import WorkState
from analysis.discovery.gallery_models import PairFeedback, Verdict
from analysis.discovery.verdict_data import judged_pairs
from analysis.neural.weights import find
from analysis.registry.comparison_runs import start
from analysis.registry.models import ModelVersion
from analysis.registry.serving import why_not
from analysis.versions import listen_version
from catalog.models import User
from tests.analysis.discovery.catalogue import at, heard
from tests.analysis.long_work import worked
from tests.analysis.training.test_verdicts import TRACKS, judged
from tests.factories import ArtistFactory, UserFactory


def say(user, first, second, verdict=Verdict.SIMILAR):
    a, b = sorted((first, second), key=lambda track: track.pk)
    PairFeedback.objects.create(
        user=user,
        track_a=a,
        track_b=b,
        content_a_sha256=a.revisions.get().content_sha256,
        content_b_sha256=b.revisions.get().content_sha256,
        verdict=verdict,
        model_version="test-1",
    )


@pytest.mark.django_db
class TestWhatCounts:
    def test_the_majority_of_those_that_may_be_trained_with(self):
        open_one, other = ArtistFactory(may_train=True), ArtistFactory(may_train=True)
        closed = ArtistFactory(may_train=False)
        a, b = (
            heard(artist, at(turn), may_train=True) for artist, turn in ((open_one, 0), (other, 60))
        )
        c, tied = (
            heard(artist, at(turn), may_train=True) for artist, turn in ((closed, 90), (other, 10))
        )
        raters = [UserFactory() for _ in range(4)]
        for rater, verdict in zip(raters[:3], ("similar", "not_similar", "similar"), strict=True):
            say(rater, a, b, verdict)
        say(raters[0], a, c)
        for rater, verdict in zip(raters[:2], ("similar", "not_similar"), strict=True):
            say(rater, a, tied, verdict)
        found = judged_pairs("test-1")
        assert len(found) == 1
        assert found.similar.tolist() == [True]
        assert {found.artists[row] for row in found.pairs[0]} == {
            str(open_one.pk),
            str(other.pk),
        }
        cosine = found.vectors[found.pairs[0, 0]] @ found.vectors[found.pairs[0, 1]]
        assert cosine == pytest.approx(0.5, abs=1e-3)
        assert len(judged_pairs("another space")) == 0

    def test_without_verdicts_the_command_says_what_is_missing(self, tmp_path):
        with pytest.raises(CommandError, match=r"there are 0, 0\s+and 0"):
            call_command("train_similarity", out=tmp_path)
        assert not list(tmp_path.iterdir())


@pytest.mark.django_db
@pytest.mark.usefixtures("no_queue")
def test_new_ears_come_out_become_a_candidate_and_are_compared(tmp_path, client):
    data = judged(300)
    artists = [ArtistFactory(may_train=True) for _ in range(len(data.artists) // TRACKS)]
    report = {"model_version": listen_version()}
    tracks = [
        heard(artists[row // TRACKS], vector, report=report, may_train=True)
        for row, vector in enumerate(data.vectors)
    ]
    rater = UserFactory()
    said = set()
    for (first, second), similar in zip(data.pairs.tolist(), data.similar, strict=True):
        pair = frozenset((first, second))
        if pair not in said:
            said.add(pair)
            verdict = Verdict.SIMILAR if similar else Verdict.NOT_SIMILAR
            say(rater, tracks[first], tracks[second], verdict)
    out = StringIO()
    call_command("train_similarity", out=tmp_path / "new", register=True, stdout=out)
    text = out.getvalue()
    assert f"{len(said)} pairs" in text
    manifest = json.loads((tmp_path / "new" / "ears.json").read_text())
    assert manifest["version"] == f"{find('ears').version}-pairs{len(said)}"
    assert manifest["figures"]["verdicts"]["gain_low"] > 0
    candidate = ModelVersion.objects.get(version=manifest["version"])
    assert (candidate.model, candidate.origin) == ("ears", "trained")
    assert candidate.identity in text
    fitted = candidate.comparisons.get()
    assert (fitted.verdict, fitted.figures["judged"]) == ("better", "cross_fitted")
    assert fitted.figures["gain_low"] == manifest["figures"]["verdicts"]["gain_low"]
    assert why_not(candidate) is None
    UserFactory(email="chief@example.com", is_staff=True, is_superuser=True)
    client.force_login(User.objects.get(email="chief@example.com"))
    page = client.get(reverse("model_version", args=[candidate.pk])).content.decode()
    assert "Similar pairs nearer than others" in page

    # Compared again, only what was said since counts: at first nothing, then the same ears.
    refused = worked(start(candidate, by=None))
    assert (refused.state, refused.reason_code) == (WorkState.FAILED, "verdicts")
    assert "there are 0, 0 and 0" in refused.reason
    later = judged(300, of=data, seed=9)
    new = 0
    for (first, second), similar in zip(later.pairs.tolist(), later.similar, strict=True):
        pair = frozenset((first, second))
        if pair not in said:
            said.add(pair)
            new += 1
            verdict = Verdict.SIMILAR if similar else Verdict.NOT_SIMILAR
            say(rater, tracks[first], tracks[second], verdict)
    done = worked(start(candidate, by=None))
    assert done.state == WorkState.DONE, done.reason
    again = candidate.comparisons.first()
    assert (again.figures["judged"], again.figures["pairs"]) == ("since", new)
    assert again.verdict == "better"
    assert again.figures["after"] > again.figures["before"]

    few = list(PairFeedback.objects.order_by("pk")[:60])
    PairFeedback.objects.exclude(pk__in=[row.pk for row in few]).delete()
    for row in few:
        row.verdict = Verdict.SIMILAR if row.pk % 2 else Verdict.NOT_SIMILAR
        row.save()
    with pytest.raises(CommandError, match="gain is not sure"):
        call_command("train_similarity", out=tmp_path / "none", stdout=out)
    assert not (tmp_path / "none").exists()
