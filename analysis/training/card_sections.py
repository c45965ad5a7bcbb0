"""The sections of the model card: each takes the figures of one evaluation and gives Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.neural.familiarity import UNFAMILIAR_BELOW
from analysis.training.card_tables import figure, interval, paragraph, share, table, words
from analysis.training.damage import FOR_GENRE, FOR_RETRIEVAL, Damage

Figures = Mapping[str, Any]


def belongs_to(weights: Figures) -> str:
    """Which weights a section's figures were measured on."""
    role = weights["role"]
    told = f"*Weights: {role}, {', '.join(weights['identities'])}"
    told += f", trained on {' / '.join(weights['trained_on'])}" if weights["trained_on"] else ""
    if not weights["same_recipe"]:
        told += "; made by another recipe than the weights that ship"
    return paragraph(f"{told}.*")


def genre(f: Figures) -> list[str]:
    """Accuracy, recall, confusion, calibration."""
    names = list(f["confusion"])
    sure = f["calibration"]
    return [
        "## Genre",
        paragraph(
            f"Accuracy **{figure(f['accuracy']['mean'])}** on {f['tracks']} held-out tracks by",
            f"{f['artists']} artists (95 % interval over artists {figure(f['accuracy']['low'])} to",
            f"{figure(f['accuracy']['high'])}; chance {figure(1 / len(names))}).",
        ),
        recall_table(f["recall"]),
        "Rows are the truth, columns the answers:",
        table(
            ["", *names],
            ([f"**{name}**", *(str(row[n] or "·") for n in names)] for name, row in _rows(f)),
        ),
        "### Is it as sure as it should be?",
        paragraph(
            f"Expected calibration error over 15 bins **{figure(sure['ece'])}**: it says",
            f"{share(sure['mean_confidence'])} on average and is right",
            f"{share(sure['accuracy'])} of the time. So few tracks make this figure too large: a",
            "perfectly calibrated model that is as sure would score",
            f"{figure(sure['perfect_mean'])} on average, and up to",
            f"{figure(sure['perfect_p95'])} in 95 of 100 cases. Two estimates with less bias: "
            f"{figure(sure['sweep'])} (equal-mass bins, monotonic sweep; Roelofs et al. 2022) and",
            f"{figure(sure['debiased_rms'])} (root mean square, noise subtracted; Kumar et al.",
            "2019). Each artist's tracks have the temperature that the others ask for; with the",
            "temperature of the weights themselves the first figure is",
            f"{figure(f['calibration_as_shipped']['ece'])}.",
            *_log_loss(sure, len(names)),
        ),
    ]


def folds(f: Figures) -> list[str]:
    """What to expect of heads that learned from more tracks."""
    sure = f["calibration"]
    return [
        "### With more tracks to learn from",
        paragraph(
            "Weights that ship learn from the held-out tracks, too, and cannot be asked about",
            f"them. Genre heads fitted on {f['learned_from']:.0f} tracks, the training ones and",
            f"all but one in {f['folds']} of the held-out artists, name",
            f"**{figure(f['accuracy']['mean'])}** of the {f['tracks']} tracks of those left out",
            f"(95 % interval over {f['artists']} artists {figure(f['accuracy']['low'])} to",
            f"{figure(f['accuracy']['high'])}; log loss {figure(sure['log_loss'])}; calibration",
            f"error {figure(sure['ece'])}, where a perfect model would score",
            f"{figure(sure['perfect_mean'])}). Trunk and tagger stay as they are:",
            "they have learned from no label.",
        ),
    ]


def _log_loss(sure: Figures, genres: int) -> list[str]:
    """Figures taken before there was one have none."""
    if "log_loss" not in sure:
        return []
    return [
        f"Log loss {figure(sure['log_loss'])} (whoever calls all genres alike likely has "
        f"{math.log(genres):.3f})."
    ]


def _rows(f: Figures) -> list[tuple[str, Figures]]:
    return list(f["confusion"].items())


def recall_table(recall: Figures) -> str:
    """Share of each genre's tracks that were named right."""
    return table(["genre", "recall"], ([name, f"{value:.2f}"] for name, value in recall.items()))


def sound(f: Figures) -> list[str]:
    """Sound beside pictures, and short clips beside the peer."""
    audio, clips = f["audio"], f["clips"]
    parts = [
        "## On sound",
        paragraph(
            f"The same {audio['tracks']} held-out tracks as sound files and as the corpus's",
            f"pictures: accuracy {figure(audio['sound_accuracy'])} on sound,",
            f"{figure(audio['picture_accuracy'])} on pictures (picture minus sound",
            f"{interval(audio['gap'], signed=True)}); the same answer to both for",
            f"{share(audio['same_label'])}.",
        ),
    ]
    rows = [
        ["ours, embedding", interval(clips["accuracy"]), *_space(clips["embedding"])],
        ["ours, penultimate features", "", *_space(clips["penultimate"])],
    ]
    if clips["peer"]:
        rows.append([clips["peer"], interval(clips["peer_accuracy"]), *_space(clips["peer_space"])])
    parts += [
        f"{clips['clips']} held-out clips of 2 to 3 s:",
        table(["", "accuracy", "genre mAP", "genre mAP among other artists"], rows),
    ]
    if clips["peer"]:
        parts.append(
            paragraph(
                "Ours minus the peer: accuracy",
                f"{interval(clips['accuracy_minus_peer'], signed=True)}, genre mAP",
                f"{interval(clips['genre_map_minus_peer'], signed=True)}. The peer was trained on",
                "the clips of the same training tracks. Among so few clips another one by the same",
                "artist is easily found: the last column leaves those out.",
            )
        )
    return parts


def _space(space: Figures) -> list[str]:
    return [figure(space["genre_map"]), figure(space["genre_map_other_artists"])]


def robustness(f: Figures) -> list[str]:
    """What each damage does to the genre."""
    rows = [["none", figure(f["undamaged_accuracy"]), "", "", ""]]
    rows += [
        [
            row["title"],
            figure(row["accuracy"]),
            figure(row["same_label"]),
            figure(row["total_variation"]),
            figure(row["embedding_cosine"]),
        ]
        for row in _in_order(f["damages"], FOR_GENRE)
    ]
    heads = ["damage", "accuracy", "same genre", "probability moved", "cosine of embeddings"]
    return [
        "## When files are damaged",
        paragraph(
            f"{f['tracks']} held-out sound files of 15 to 20 s, damaged, written to disk and",
            "heard the product's way. Against the undamaged answer: share of tracks with the same",
            "genre, mean share of probability that moved to other genres, cosine of embeddings.",
            "+20 dB exceed full scale: a float file keeps the peaks, a 16 bit file clips them.",
        ),
        table(heads, rows),
    ]


def _in_order(damages: Figures, known: Sequence[Damage]) -> list[Figures]:
    """Damages in the order in which they are defined, others behind them."""
    order = [damage.name for damage in known]
    names = sorted(damages, key=lambda name: order.index(name) if name in order else len(order))
    return [damages[name] for name in names]


def similarity(f: Figures) -> list[str]:
    """Spaces beside each other, and the embedding's differences."""
    heads = ["embedding minus", "triplet accuracy", "same artist in the first 10", "mAP by genre"]
    rows = [
        [
            words(name),
            interval(row["triplet_accuracy_by_artist"], signed=True),
            interval(row["artist_hit_at_10"], signed=True),
            interval(row["genre_map"], signed=True),
        ]
        for name, row in f["embedding_minus"].items()
    ]
    return [
        "## Similarity",
        paragraph(
            f"Between {f['tracks']} held-out tracks by {f['artists']} artists that the model has",
            f"never heard ({f['queries_by_artist']} of them have another track of their artist",
            "among them). MFCC and mel statistics need no learning; both are standardised over",
            "these very tracks, which helps them.",
        ),
        space_table(f["spaces"]),
        "Differences, with 95 % intervals over artists:",
        table(heads, rows),
    ]


def space_table(spaces: Figures) -> str:
    """Retrieval figures of each space."""
    titles = {
        "triplet_accuracy_by_artist": "triplet accuracy by artist",
        "artist_hit_at_10": "same artist in the first 10",
        "genre_map": "mAP by genre",
        "genre_map_other_artists": "mAP by genre, other artists only",
    }
    shown = [key for key in titles if key in next(iter(spaces.values()))]
    return table(
        ["space", *(titles[key] for key in shown)],
        ([words(name), *(figure(row[key]) for key in shown)] for name, row in spaces.items()),
    )


_OTHER_MUSIC = "other music"
_KINDS = ("GTZAN, not trained on", "GTZAN, trained on", "demo", _OTHER_MUSIC)


def _kind(source: str) -> str:
    """The column of a source: folders of other music share one."""
    return source if source in _KINDS else _OTHER_MUSIC


def retrieval(f: Figures) -> list[str]:
    """The same recording after a damage."""
    asked = f["queries_by_source"]
    kinds = [kind for kind in _KINDS if any(_kind(name) == kind for name in asked)]

    def first(row: Figures, kind: str) -> float:
        own = {name: n for name, n in asked.items() if _kind(name) == kind}
        found = sum(n * row["hit_at_1_by_source"][name] for name, n in own.items())
        return found / sum(own.values())

    rows = [
        [
            row["title"],
            figure(row["hit_at_1"]),
            figure(row["hit_at_10"]),
            *(figure(first(row, kind)) for kind in kinds),
        ]
        for row in _in_order(f["damages"], FOR_RETRIEVAL)
    ]
    heads = ["the copy was changed by", "original first", "in the first 10", *kinds]
    gallery = ", ".join(f"{n} {name}" for name, n in f["gallery_by_source"].items())
    silent = f.get("without_sound")
    queries = sum(asked.values())
    return [
        "## Finding the same recording",
        paragraph(
            f"{queries} damaged copies of each kind look for their originals among",
            f"{f['gallery']} recordings ({gallery}), by the cosine of the embedding alone;",
            f"{f['excerpt_s']:.0f} s from the middle of each recording. The last columns are",
            "the share found first by where the recording comes from.",
            f"{silent} more of which there are only pictures were left out: these ears hear sound."
            if silent
            else "",
        ),
        table(heads, rows),
    ]


def familiarity(f: Figures) -> list[str]:
    """Unknown genres told from known ones."""
    return [
        "## Familiarity",
        paragraph(
            "Fitted without one genre, does its music seem less familiar than held-out music of",
            f"the others? Area under the ROC curve **{figure(f['mean'])}** on average over",
            f"{len(f['by_genre'])} genres ({f['held_out_tracks']} held-out tracks; 0.5 is chance).",
            f"Below a familiarity of {UNFAMILIAR_BELOW:.2f} the page says that the music is unlike",
            "what the model knows.",
        ),
        table(
            ["left out", "area under the curve"],
            ([name, figure(value)] for name, value in f["by_genre"].items()),
        ),
    ]


def leaky(f: Figures) -> list[str]:
    """The protocol of slices split at random."""
    return [
        "## Leaky, for comparison only",
        paragraph(
            f"Accuracy {figure(f['accuracy'])} if slices of 3 s are split at random",
            f"({f['training_slices']} for training, {f['test_slices']} for the test; the trunk is",
            f"kept, a genre head is fitted). {share(f['same_song_in_training'])} of the test",
            "slices come from songs whose other slices were trained on, so a model may recognise",
            "the song, its mix or its noise in place of the genre. Figures of 0.90 and above on",
            "this corpus are usually taken that way. They say nothing about a new song: the",
            "figures above do.",
        ),
    ]


def explanations(f: Figures) -> list[str]:
    """Whether the heat maps show what the answer hangs on."""
    wiped, shuffled = f["deletion"], f["sanity"]
    return [
        "## Explanations, checked",
        paragraph(
            f"On {wiped['tracks']} held-out tracks: wiping the {share(wiped['share'])} of the",
            "picture that the heat map marks as hottest lowers the genre's probability by",
            f"{figure(wiped['hot_drop'])}, wiping as much at random by",
            f"{figure(wiped['random_drop'])}; from {figure(wiped['confidence'])} on average. With",
            "shuffled weights the map changes: its rank correlation with the true one is",
            f"{figure(shuffled['correlation'])}.",
        ),
    ]


def features(f: Figures | None) -> list[str]:
    """The perceptual features."""
    if not f:
        return []
    rows = [
        [name, figure(row["held_out_rank_correlation"]), figure(row["held_out_r2"])]
        for name, row in f.items()
        if isinstance(row, Mapping) and "held_out_r2" in row
    ]
    parts = ["## Perceptual features"]
    if rows:
        about = f" on {f['excerpts']} excerpts" if "excerpts" in f else ""
        parts += [
            paragraph(
                f"Energy, danceability, acousticness and valence as a head on the trunk{about},",
                "against what is measured on sound at full quality. Whole groups (artists or",
                "folders) are held out; their definitions stand in `analysis/sound/features.py`.",
            ),
            table(["feature", "rank correlation", "explained variance (R²)"], rows),
        ]
    return parts if rows else []


def verdicts(f: Figures | None) -> list[str]:
    """What people's verdicts on pairs of tracks have changed."""
    if not f:
        return []
    return [
        "## Learned from verdicts on pairs",
        paragraph(
            f"The similarity embedding was adapted to {f['pairs']} pairs of {f['tracks']} tracks",
            f"by {f['artists']} artists that people called similar ({f['similar']}) or not.",
            "The area under the ROC curve of the cosine is measured on pairs with an artist whom",
            "the fit had not seen; its 95 % interval draws artists anew. Figures on similarity in",
            "other sections are of the weights named there, before this.",
        ),
        table(
            ["", "area under the ROC curve"],
            [
                ["before", figure(f["before"])],
                ["after", figure(f["after"])],
                ["gain", f"{f['gain']:+.3f} ({f['gain_low']:+.3f} to {f['gain_high']:+.3f})"],
            ],
        ),
    ]


def ladder(steps: Sequence[Figures] | None) -> list[str]:
    """What gave how much."""
    if not steps:
        return []
    return [
        "## The ladder: what gave how much",
        "Accuracy on the validation tracks; over several seeds the mean and standard deviation.",
        table(
            ["step", "accuracy", "seeds"],
            (
                [
                    step["step"],
                    f"{step['accuracy_mean']:.3f}"
                    + (f" ± {step['accuracy_sd']:.3f}" if step["seeds"] > 1 else ""),
                    str(step["seeds"]),
                ]
                for step in steps
            ),
        ),
    ]


EVALUATIONS: dict[str, Callable[[Figures], list[str]]] = {
    "genre": genre,
    "folds": folds,
    "sound": sound,
    "robustness": robustness,
    "similarity": similarity,
    "retrieval": retrieval,
    "familiarity": familiarity,
    "explanations": explanations,
    "leaky": leaky,
}
