"""People's labels make the model better on singers it never heard: truth known, voices real.

A larger run of the same kind, and its figures, are in docs/models.md.
"""

from __future__ import annotations

import pytest

from analysis.background import WorkState
from analysis.registry import storing
from analysis.registry.models import ModelComparison, Verdict
from analysis.registry.training_runs import do_training, start_training
from tests.analysis.registry.known_voices import DATA, TAGS, known_clips, recordings
from tests.analysis.registry.site_labels import Beating, vote
from tests.analysis.registry.test_training_runs import claimed
from tests.factories import UserFactory

SINGERS, EACH = 6, 5
# Six singers are few: each is heard as three voices, on one side of the split with all of them.
SPEEDS = (1.0, 0.84, 1.17)
RECIPE = {"epochs": 5, "least_steps": 16}


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "vocals_makam").is_dir(), reason="needs ../shared/data")
def test_labels_that_are_true_make_it_better(make_clip, db):
    storing.register_shipped()
    known = known_clips(recordings(singers=SINGERS), per_singer=EACH, speeds=SPEEDS)
    names = sorted({clip.singer.split()[0] for clip in known})
    assert len(names) == SINGERS
    rater = UserFactory(is_staff=True)
    for clip in known:
        row = make_clip(
            clip.singer,
            sound=clip.sound,
            name=f"{clip.name}.flac",
            is_held_out=names.index(clip.singer.split()[0]) % 2 == 1,
            lot=0.5,
        )
        vote(row, rater, **clip.truth)
    run = start_training(recipe=RECIPE)
    do_training(claimed(run), Beating())
    run.refresh_from_db()
    assert run.state == WorkState.DONE
    comparison = ModelComparison.objects.get(candidate=run.made)
    figures = comparison.figures
    assert comparison.verdict == Verdict.BETTER, figures["why"]
    assert figures["singers"] == 3 * len(SPEEDS)
    overall = figures["overall"]
    assert overall["average_precision"]["difference"]["value"] > 0.1
    assert overall["cross_entropy"]["difference"]["high"] < 0
    # A tag that the starter has never heard of: far better than saying its share of yes to all.
    new = figures["only_candidate"]["thin"]
    assert new["average_precision"]["value"] > new["yes"] / (new["yes"] + new["no"]) + 0.15
    assert set(TAGS) - {"thin"} == set(figures["compared_tags"])
    # What breath and distortion do it still hears as before, nearly always.
    assert run.figures["best"]["right_direction"] > 0.75
