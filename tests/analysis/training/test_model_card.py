"""The card says what the manifest holds, whose figures they are, and nothing else."""

from __future__ import annotations

import json
import re

import pytest

from analysis.neural.weights import SHIPPED_DIR
from analysis.training import model_card
from analysis.training.calibration import Calibration
from analysis.training.clip_figures import AudioFigures, ClipFigures, ClipSpace
from analysis.training.evaluations import plain
from analysis.training.explanation_checks import Deletion, Sanity
from analysis.training.fold_figures import FoldFigures
from analysis.training.genre_figures import GenreFigures
from analysis.training.intervals import Interval
from analysis.training.protocols import FamiliarityFigures, LeakyFigures
from analysis.training.retrieval import Found, RetrievalFigures
from analysis.training.robustness import DamageFigures, RobustnessFigures
from analysis.training.similarity import Difference, SimilarityFigures, SpaceFigures

SURE = Calibration(0.111, 0.083, 0.114, 0.07, 0.095, 0.63, 0.64, 0.987)
SPACE = SpaceFigures(0.88, 0.85, 0.54, 0.52)
GAIN = Interval(0.1234, 0.05, 0.2)
LOSS = Interval(-0.02, -0.06, 0.01)

MEASURED = {
    "genre": GenreFigures(
        tracks=197,
        artists=74,
        accuracy=Interval(0.64, 0.516, 0.757),
        recall={"jazz": 0.75, "rock": 0.25},
        confusion={"jazz": {"jazz": 3, "rock": 1}, "rock": {"jazz": 3, "rock": 1}},
        calibration=SURE,
        calibration_as_shipped=SURE,
    ),
    "folds": FoldFigures(197, 74, 5, 599.6, Interval(0.717, 0.613, 0.804), SURE),
    "sound": {
        "audio": AudioFigures(51, 0.706, 0.725, Interval(0.02, -0.03, 0.08), 0.9),
        "clips": ClipFigures(
            93,
            Interval(0.5, 0.4, 0.6),
            ClipSpace(0.61, 0.55),
            ClipSpace(0.62, 0.56),
            peer="MSD_musicnn",
            peer_accuracy=Interval(0.613, 0.5, 0.7),
            peer_space=ClipSpace(0.759, 0.7),
            accuracy_minus_peer=LOSS,
            genre_map_minus_peer=LOSS,
        ),
    },
    "robustness": RobustnessFigures(
        51,
        0.706,
        {
            "clip_3s": DamageFigures("3 s from the middle", 0.6, 0.7, 0.3, 0.8),
            "mp3_64k": DamageFigures("MP3, 64 kbit/s", 0.69, 0.96, 0.05, 0.99),
        },
    ),
    "similarity": SimilarityFigures(
        197,
        74,
        148,
        {"embedding": SPACE, "random": SPACE},
        {"random": Difference(GAIN, LOSS, GAIN)},
    ),
    "retrieval": RetrievalFigures(
        1036,
        {"demo": 28, "pictures": 968, "wesnoth": 30, "nexuiz": 10},
        {"demo": 28, "wesnoth": 30, "nexuiz": 10},
        30.0,
        {
            "mp3_64k": Found(
                title="MP3, 64 kbit/s",
                queries=68,
                hit_at_1=0.9118,
                hit_at_10=1.0,
                cosine_to_original=0.99,
                cosine_to_nearest_other=0.9,
                hit_at_1_by_source={"demo": 0.9643, "wesnoth": 1.0, "nexuiz": 0.5},
            )
        },
    ),
    "familiarity": FamiliarityFigures(0.812, {"jazz": 0.8, "rock": 0.824}, 197),
    "explanations": {
        "deletion": Deletion(60, 0.2, 5, 0.7, 0.31, 0.1, 0.9),
        "sanity": Sanity(60, 0.21, 0.22),
    },
    "leaky": LeakyFigures(0.951, 5112, 1278, 1.0),
}
OWN = {
    "role": "these very weights",
    "identities": ["ears-1.0.0-4ca739ab"],
    "trained_on": ["train"],
    "same_recipe": True,
}


def manifest(**figures) -> dict:
    """A manifest as it is read from its file."""
    document = {
        "version": "1.2.3",
        "source": "GTZAN.",
        "licence": "MIT",
        "settings": {"labels": ["jazz", "rock"], "temperature": 1.1, "trained_on": "train"},
        "recipe": {"trunk": {"seed": 7, "epochs": 24}},
        "figures": figures,
    }
    return json.loads(json.dumps(document, sort_keys=True))


def everything(weights=OWN) -> dict:
    evaluations = {
        name: {"weights": weights, "figures": plain(figures)} for name, figures in MEASURED.items()
    }
    ladder = [{"step": "from scratch", "accuracy_mean": 0.6, "accuracy_sd": 0.012, "seeds": 3}]
    return manifest(
        tracks={"train": 442, "validation": 197},
        accuracy=0.64,
        recall={"jazz": 0.75, "rock": 0.25},
        evaluations=evaluations,
        ladder=ladder,
    )


def test_the_first_paragraph_is_for_people():
    first = model_card.render(everything()).split("\n\n")[1].replace("\n", " ")
    assert "right about 64 times in 100" in first
    assert "most often for jazz (75 in 100), least often for rock (25 in 100)" in first
    for jargon in ("ResNet", "mel", "embedding", "ECE", "trunk"):
        assert jargon not in first


def test_every_figure_that_was_measured_is_on_the_card():
    card = model_card.render(everything())
    flat = card.replace("\n", " ")
    for said in (
        "Accuracy **0.640** on 197 held-out tracks by 74 artists",
        "95 % interval over artists 0.516 to 0.757",
        "| **rock** | 3 | 1 |",
        "over 15 bins **0.111**",
        "would score 0.083 on average, and up to 0.114",
        "Log loss 0.987 (whoever calls all genres alike likely has 0.693)",
        "Genre heads fitted on 600 tracks, the training ones and all but one in 5 of the held-out",
        "name **0.717** of the 197 tracks of those left out",
        "accuracy 0.706 on sound, 0.725 on pictures",
        "| MSD_musicnn | 0.613 (0.500 to 0.700) | 0.759 | 0.700 |",
        "genre mAP -0.020 (-0.060 to +0.010)",
        "| MP3, 64 kbit/s | 0.690 | 0.960 | 0.050 | 0.990 |",
        "| random | +0.123 (+0.050 to +0.200) | -0.020 (-0.060 to +0.010) |",
        "1036 recordings (28 demo, 10 nexuiz, 968 pictures, 30 wesnoth)",
        "| the copy was changed by | original first | in the first 10 | demo | other music |",
        "| MP3, 64 kbit/s | 0.912 | 1.000 | 0.964 | 0.875 |",
        "**0.812** on average over 2 genres",
        "lowers the genre's probability by 0.310, wiping as much at random by 0.100",
        "Accuracy 0.951 if slices of 3 s are split at random",
        "100 % of the test slices come from songs whose other slices were trained on",
        "| from scratch | 0.600 ± 0.012 | 3 |",
        "442 tracks for training, 197 for validation",
    ):
        assert said in flat, said
    assert "## Leaky, for comparison only" in card


def test_damages_stand_in_the_order_in_which_they_are_defined():
    card = model_card.render(everything())
    section = card[card.index("## When files are damaged") :]
    assert section.index("MP3, 64 kbit/s") < section.index("3 s from the middle")


def test_what_was_not_measured_is_not_on_the_card():
    card = model_card.render(manifest())
    assert re.findall(r"^#+ .*", card, re.M) == ["# ears 1.2.3", "## Limits"]
    assert "times in 100" not in card
    assert "None" not in model_card.render(everything())
    assert "nan" not in model_card.render(everything())


def test_every_section_says_whose_figures_they_are():
    told = {
        **OWN,
        "role": "validation run",
        "identities": ["ears-0.9-1234abcd"],
        "same_recipe": False,
    }
    card = model_card.render(everything(told)).replace("\n", " ")
    said = "*Weights: validation run, ears-0.9-1234abcd, trained on train; made by another recipe"
    assert card.count(said) == len(MEASURED)


def test_weights_that_heard_the_validation_tracks_say_so():
    told = everything()
    told["settings"]["trained_on"] = "train+valid"
    card = model_card.render(told).replace("\n", " ")
    assert "trained on:** train and valid together" in card
    assert "the same recipe on the training tracks alone" in card


def test_lines_are_wrapped_and_tables_are_whole():
    for line in model_card.render(everything()).splitlines():
        assert len(line) <= 100 or line.startswith("|")
    rows = [line for line in model_card.render(everything()).splitlines() if line.startswith("|")]
    blocks = re.findall(r"(?:^\|.*\n)+", model_card.render(everything()), re.M)
    assert sum(block.count("\n") for block in blocks) == len(rows)
    for block in blocks:
        assert len({line.count(" | ") for line in block.splitlines()}) == 1


def test_the_shipped_card_is_what_its_manifest_says():
    told = json.loads((SHIPPED_DIR / "ears.json").read_text(encoding="utf-8"))
    assert (SHIPPED_DIR / "ears.md").read_text(encoding="utf-8") == model_card.render(told), (
        "run manage.py evaluate_ears --card"
    )


@pytest.mark.parametrize("value", [float("nan"), None])
def test_a_figure_that_is_not_known_is_a_dash(value):
    from analysis.training.card_tables import figure

    assert figure(value) == "–"
