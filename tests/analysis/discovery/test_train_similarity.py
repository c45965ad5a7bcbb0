"""From verdicts on the pages to new ears: which verdicts count, and what the command says."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from analysis.discovery.gallery_models import PairFeedback, Verdict
from analysis.discovery.verdict_data import judged_pairs
from analysis.neural.weights import find
from analysis.registry.models import ModelVersion
from analysis.versions import listen_version
from tests.analysis.discovery.catalogue import at, heard
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
def test_new_ears_come_out_and_become_a_candidate(tmp_path):
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

    few = list(PairFeedback.objects.order_by("pk")[:60])
    PairFeedback.objects.exclude(pk__in=[row.pk for row in few]).delete()
    for row in few:
        row.verdict = Verdict.SIMILAR if row.pk % 2 else Verdict.NOT_SIMILAR
        row.save()
    with pytest.raises(CommandError, match="gain is not sure"):
        call_command("train_similarity", out=tmp_path / "none", stdout=out)
    assert not (tmp_path / "none").exists()
