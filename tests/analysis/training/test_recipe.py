"""Plans of window widths: drawn as said, refused when they make no sense."""

import pytest
import torch

from analysis.training.distributed import ALONE
from analysis.training.genre import GenreTask, Recipe
from analysis.training.recipe import WindowPlan
from tests.analysis.training.corpora import two_genres


def test_widths_come_as_often_as_their_weights_say():
    plan = WindowPlan(widths=(40, 64, 128), weights=(1, 1, 2))
    generator = torch.Generator().manual_seed(0)
    drawn = [plan.draw(generator) for _ in range(4000)]
    shares = [drawn.count(width) / 4000 for width in plan.widths]
    assert shares == pytest.approx(plan.chances, abs=0.03)
    assert plan.chances == (0.25, 0.25, 0.5)


def test_a_batch_has_one_width_and_an_epoch_several():
    recipe = Recipe(
        batch_size=4,
        crops_per_track=4,
        windows=WindowPlan(widths=(40, 128), weights=(0.5, 0.5)),
    )
    task = GenreTask([two_genres(0, "a")], recipe=recipe, validation=None)
    shapes = [inputs.shape for inputs, _ in task.batches(0, ALONE)]
    assert len(shapes) == task.steps_per_epoch == 12
    assert set(shapes) == {(4, 1, 128, 40), (4, 1, 128, 128)}


@pytest.mark.parametrize(
    ("widths", "weights", "message"),
    [
        ((), (), "32 columns"),
        ((31,), (1.0,), "32 columns"),
        ((64, 128), (1.0,), "2 widths, but 1 weights"),
        ((64, 128), (1.0, -1.0), "positive"),
        ((64,), (0.0,), "positive"),
    ],
)
def test_a_plan_without_sense_is_refused(widths, weights, message):
    with pytest.raises(ValueError, match=message):
        WindowPlan(widths=widths, weights=weights)
