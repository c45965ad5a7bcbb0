"""Starting from a trained trunk, learning with two rates, learning from several corpora."""

import pytest
import torch

from analysis.neural.listener import ListeningNetwork
from analysis.neural.weights import find
from analysis.training.genre import GenreTask, Recipe, train_trunk
from analysis.training.loop import parameter_groups
from analysis.training.transfer import is_of_trunk, load_trunk, trunk_of
from tests.analysis.training.corpora import two_genres

SHORT = Recipe(epochs=1, crops_per_track=1, batch_size=6, seed=1)


def trunk(network: ListeningNetwork) -> dict[str, torch.Tensor]:
    return {name: value for name, value in network.state_dict().items() if is_of_trunk(name)}


def test_a_frozen_trunk_keeps_what_it_came_with(tmp_path):
    torch.manual_seed(3)
    teacher = ListeningNetwork(5)
    trained = train_trunk(
        two_genres(0, "a"),
        recipe=Recipe(epochs=1, crops_per_track=1, batch_size=6, trunk_rate=0.0),
        run_dir=tmp_path,
        init_from=teacher.state_dict(),
        device="cpu",
    )
    before = dict(teacher.named_parameters())
    for name, after in trained.named_parameters():
        if is_of_trunk(name):
            torch.testing.assert_close(after, before[name], rtol=0, atol=0)
    assert trained.genre.weight.shape == (2, 512)


def test_trunk_and_heads_learn_at_their_own_rates():
    network = ListeningNetwork(3)
    heads, body = parameter_groups(network, Recipe(learning_rate=1e-3, trunk_rate=0.1))
    assert (heads["lr"], body["lr"]) == (1e-3, pytest.approx(1e-4))
    assert len(heads["params"]) + len(body["params"]) == len(list(network.parameters()))
    assert any(p is network.genre.weight for p in heads["params"])
    assert any(p is network.stem[0].weight for p in body["params"])


def test_the_serving_model_lends_its_trunk():
    state = trunk_of(find("ears"))
    network = ListeningNetwork(3)
    load_trunk(network, state)
    assert all(torch.equal(value, state[name].float()) for name, value in trunk(network).items())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda state: {k: v for k, v in state.items() if not k.startswith("top")}, "missing"),
        (lambda state: {k: v[..., :1] if v.dim() > 3 else v for k, v in state.items()}, "shape"),
        (lambda state: {}, "missing"),
    ],
)
def test_what_is_no_trunk_is_refused(broken, message):
    network = ListeningNetwork(3)
    with pytest.raises(ValueError, match=message):
        load_trunk(network, broken(network.state_dict()))


def test_another_starting_point_is_another_run(tmp_path):
    data = two_genres(0, "a")
    train_trunk(data, recipe=SHORT, run_dir=tmp_path, device="cpu")
    with pytest.raises(ValueError, match="starting point"):
        train_trunk(
            data,
            recipe=SHORT,
            run_dir=tmp_path,
            device="cpu",
            init_from=ListeningNetwork(2).state_dict(),
        )


def test_more_corpora_of_other_lengths_are_learned_from_too(tmp_path):
    long, clips = two_genres(0, "a"), two_genres(1, "b", tracks=8, columns=39)
    task = GenreTask([long, clips], recipe=SHORT, validation=None)
    assert task.steps_per_epoch == 4  # 20 tracks in batches of 6
    trained = train_trunk(long, also=[clips], recipe=SHORT, run_dir=tmp_path, device="cpu")
    alone = train_trunk(long, recipe=SHORT, run_dir=tmp_path / "alone", device="cpu")
    assert not torch.equal(trained.genre.weight, alone.genre.weight)


def test_corpora_of_other_genres_are_refused(tmp_path):
    other = two_genres(1, "b")
    object.__setattr__(other, "names", ["high", "very low"])
    with pytest.raises(ValueError, match="disagree"):
        train_trunk(two_genres(0, "a"), also=[other], recipe=SHORT, run_dir=tmp_path)
