"""New ears from a collection of music: what ``manage.py train_genre`` and the site's page share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from analysis.neural import tagger_weights
from analysis.neural.companion import WindowTagger
from analysis.neural.ears import load_ears
from analysis.neural.listener import ListeningNetwork, to_channels_last
from analysis.neural.weights import WeightsUnavailable, find, read_from
from analysis.training import held_out
from analysis.training.corpora import Collection, open_collection
from analysis.training.datasets import MelCorpus
from analysis.training.distributed import ALONE, Processes
from analysis.training.features import FeatureData, fit_features
from analysis.training.genre import train_trunk
from analysis.training.genre_head import KEPT_TRUNK, HeadRecipe, examples_of, fit_genre_head
from analysis.training.head_shipping import with_features
from analysis.training.heads import EmbeddingRecipe
from analysis.training.picture_cache import PictureCache
from analysis.training.recipe import FINE_TUNING, Recipe
from analysis.training.shipping import (
    Evaluated,
    Provenance,
    Sounds,
    fit_and_measure,
    refit_on_all,
    ship,
)
from analysis.training.sound_corpus import sound_of_pictures
from analysis.training.transfer import load_trunk, mean_of, trunk_of

if TYPE_CHECKING:
    from analysis.neural.weights import Weights

log = logging.getLogger(__name__)

DEFAULT_SEED = 7
VALIDATION_SHARE = 0.25
EXCERPTS = 3

Told = Callable[[float, str], object]


@dataclass(frozen=True)
class EarsPlan:
    """Where the music lies, where things go, and how to train.

    ``sound`` are folders with sound of tracks that ``data`` has pictures of, in files named after
    them, for what the tagger adds. ``init`` is ``("ears",)`` for the trunk of the ears that serve,
    ``("none",)``, or safetensors files whose mean is taken; None chooses. ``trunk`` is ``"kept"``
    (the heads alone), ``"tuned"`` or None, which keeps a trunk if there is one. ``on_all`` ships
    weights that have learned from the validation tracks, too; the measured ones stay in
    ``run / "measured"``. ``pictures`` is where the pictures of sound files are kept; None is
    ``run / "pictures"``.
    """

    data: Path
    run: Path
    out: Path
    version: str = "1.0.0"
    sound: tuple[Path, ...] = ()
    init: tuple[str, ...] | None = None
    trunk: str | None = None
    on_all: bool = False
    epochs: int | None = None
    seed: int | None = None
    learning_rate: float | None = None
    validation_share: float = VALIDATION_SHARE
    excerpts: int = EXCERPTS
    device: str = "auto"
    pictures: Path | None = None

    def declared(self) -> dict[str, Any]:
        """What the manifest says of the data, so that others can be measured on the same held-out
        tracks: see :func:`open_declared`."""
        return {
            "path": str(self.data.resolve()),
            "validation_share": self.validation_share,
            "seed": self.seed or DEFAULT_SEED,
            "excerpts": self.excerpts,
        }


def open_plan(plan: EarsPlan, *, told: Told | None = None) -> Collection:
    """The music of a plan, divided by artist. Raises UnusableCorpus, in words."""
    cache = plan.pictures or plan.run / "pictures"
    collection = open_declared(plan.declared(), plan.data, cache=cache, told=told)
    if not plan.sound:
        return collection
    if collection.is_sound:
        raise ValueError("--sound is for pictures; these are sound files already")
    return replace(collection, sounds=sounds_of(collection, plan.sound, cache=cache))


def sounds_of(collection: Collection, folders: Sequence[Path], *, cache: Path) -> Sounds:
    """The sound, heard by the tagger, that there is in ``folders`` of tracks known by pictures.
    Raises UnusableCorpus, or WeightsUnavailable without the tagger."""
    drawn = PictureCache(cache, tagger=load_tagger())
    return Sounds(
        sound_of_pictures(collection.train, folders, cache=drawn),
        sound_of_pictures(collection.validation, folders, cache=drawn),
    )


def load_tagger() -> WindowTagger:
    """The tagger that hears beside the trunk; raises WeightsUnavailable."""
    return WindowTagger(tagger_weights.load())


def open_declared(
    declared: Mapping[str, Any], data: Path, *, cache: Path, told: Told | None = None
) -> Collection:
    """The collection that a manifest declares, as it was divided then, with the music in ``data``.
    Raises UnusableCorpus, or KeyError, TypeError or ValueError for a declaration that is none."""
    tagger: WindowTagger | None
    try:
        tagger = load_tagger()
    except WeightsUnavailable as error:
        tagger = None
        log.warning("The trunk learns alone, from pictures: %s", error)
    return open_collection(
        data,
        cache=cache,
        excerpts=min(20, int(declared["excerpts"])),
        validation_share=float(declared["validation_share"]),
        seed=int(declared["seed"]),
        told=None if told is None else lambda share: told(share, "Reading the music"),
        tagger=tagger,
    )


def train_ears(
    plan: EarsPlan,
    collection: Collection,
    *,
    processes: Processes = ALONE,
    told: Told | None = None,
    warn: Callable[[str], object] | None = None,
) -> Path | None:
    """Train, measure and write ears.safetensors, ears.json and ears.md to ``plan.out``.

    Returns the manifest; None in all processes but the first. ``told`` gets the share done and what
    is being done, and may raise to end it: what is done is kept in ``plan.run``.

    Raises
    ------
    ValueError
        In words, for a collection, a plan or a run folder that cannot be used.
    FloatingPointError
        If the training diverges.
    """
    tell = told or (lambda _share, _message: None)
    trunk = _trunk(plan.init or ("ears" if collection.is_sound else "none",))
    keep = plan.trunk == "kept" or (plan.trunk is None and bool(trunk))
    if keep and trunk is None:
        raise ValueError("--trunk kept needs a trunk to start from: see --init")
    recipe = _recipe(plan, pretrained=trunk is not None)

    def learn(corpus: MelCorpus, part: str) -> ListeningNetwork:
        if keep and trunk is not None:
            return _with_head(trunk, corpus)
        return train_trunk(
            corpus,
            recipe=recipe,
            run_dir=plan.run / part,
            validation=collection.validation,
            device=plan.device,
            init_from=trunk,
            processes=processes,
            told=lambda share: tell(0.8 * share, "Training"),
        )

    tell(0.0, "Training")
    network = learn(collection.train, "")
    last = None
    if plan.on_all:
        everything = held_out.together({"train": collection.train, "valid": collection.validation})
        last = (learn(everything, "on_all"), everything)
    if not processes.is_first:
        return None
    how = {"head": asdict(HeadRecipe())} if keep else {"trunk": asdict(recipe)}
    made = Provenance(
        version=plan.version,
        source=collection.source,
        recipe=how,
        trunk=KEPT_TRUNK if keep else "tuned",
        data=plan.declared(),
    )
    tell(0.8, "Fitting the heads, and measuring")
    return _finish(plan, collection, network, made, last=last, warn=warn)


def _finish(
    plan: EarsPlan,
    collection: Collection,
    network: ListeningNetwork,
    made: Provenance,
    *,
    last: tuple[ListeningNetwork, MelCorpus] | None,
    warn: Callable[[str], object] | None,
) -> Path:
    """Fit what stands on the trunk, measure, and write the files that the product loads."""
    # Before anything is written: it may be in the place of the ears that serve.
    features = _features(collection, warn)
    recipe = EmbeddingRecipe(seed=plan.seed or DEFAULT_SEED)
    train, validation = collection.train, collection.validation
    made = replace(made, recipe={**made.recipe, "embedding": asdict(recipe)})

    def write(evaluated: Evaluated, folder: Path, trained_on: str) -> Path:
        how = replace(made, trained_on=trained_on)
        manifest = ship(evaluated, folder=folder, labels=train.names, made=how)
        if features is not None:
            fit = fit_features(
                evaluated.network,
                features,
                reference=features.pictures,
                corpus=plan.data.stem,
                genres=len(train.names),
            )
            weights: Weights = read_from(folder, "ears")
            with_features(weights, evaluated.network, fit, out=folder)
        return manifest

    evaluated = fit_and_measure(network, train, validation, recipe=recipe, sounds=collection.sounds)
    if last is None:
        return write(evaluated, plan.out, "train")
    # For evaluate_ears: these have not seen the validation tracks.
    write(evaluated, plan.run / "measured", "train")
    everything = refit_on_all(evaluated, *last, recipe=recipe, sounds=collection.sounds)
    return write(everything, plan.out, "train+valid")


def _features(collection: Collection, warn: Callable[[str], object] | None) -> FeatureData | None:
    """Energy and its like as the serving model hears them, for the new trunk to learn."""
    sides = (collection.train, collection.validation)
    pictures = [picture for side in sides for picture in side.pictures()]
    artists = [artist for side in sides for artist in side.artists]
    try:
        return FeatureData.heard(load_ears(), pictures, artists)
    except WeightsUnavailable as error:
        if warn is not None:
            warn(
                "There are no ears to learn energy, danceability, acousticness and valence from "
                f"({error}). Fit these with manage.py train_features before the site can use the "
                "new ones."
            )
        return None


def _with_head(trunk: Mapping[str, Tensor], corpus: MelCorpus) -> ListeningNetwork:
    """A network on a trunk that stays as it is, its genre head fitted on a corpus."""
    recipe = HeadRecipe()
    network = ListeningNetwork(len(corpus.names))
    load_trunk(network, trunk)
    to_channels_last(network)
    pieces = list(corpus.pieces())
    examples = examples_of(network, [picture for _, picture in pieces], recipe=recipe)
    rows = [row for row, _ in pieces]
    fit_genre_head(network, examples, corpus.labels[rows], recipe=recipe)
    return network.eval()


def _trunk(init: tuple[str, ...]) -> Mapping[str, Tensor] | None:
    """The pretrained trunk that ``init`` names; of several, their mean."""
    if init == ("none",):
        return None
    try:
        return mean_of(
            [trunk_of(find("ears")) if name == "ears" else load_file(name) for name in init]
        )
    except (WeightsUnavailable, OSError, SafetensorError) as error:
        raise ValueError(f"no trunk to start from: {error}") from error


def _recipe(plan: EarsPlan, *, pretrained: bool) -> Recipe:
    changes = {
        name: getattr(plan, name)
        for name in ("epochs", "seed", "learning_rate")
        if getattr(plan, name) is not None
    }
    return replace(FINE_TUNING if pretrained else Recipe(), **changes)
