"""How right tempo, key and features are: ``manage.py evaluate_measurements``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Measure the demo tracks, and GTZAN's recordings where they are at hand, and print how "
        "often tempo and key are right and how well the features tell moods and styles apart."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data",
            type=Path,
            default=Path(settings.BASE_DIR).parent / "shared" / "data",
            help="folder with gtzan_audio and gtzan_mel (%(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.training.demo_tracks import demo_tracks

        try:
            tracks = demo_tracks()
        except PackageNotFoundError as error:
            raise CommandError(f"The demo tracks are not installed: {error}.") from error
        figures = measure_demo(tracks) | measure_gtzan(options["data"])
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        for name, value in figures.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {_readable(value)}")


def measure_demo(tracks: Any) -> dict[str, Any]:
    """Tempo, key and features on the demo tracks."""
    from analysis.neural.ears import load_ears
    from analysis.neural.familiarity import UNFAMILIAR_BELOW
    from analysis.sound.measure import measure
    from analysis.sound.mel import log_mel
    from analysis.training.measurement_figures import contrasts, mirex_key_score, tempo_figures

    ears = load_ears()
    tempi, keys, measured, heard, unfamiliar = [], [], [], [], 0
    for track in tracks:
        found = measure(track.path)
        tempi.append((found.rhythm.tempo_bpm, track.tempo_bpm))
        keys.append(((found.key.tonic, found.key.mode), (track.tonic, track.mode)))
        measured.append(asdict(found.features))
        answer = ears.hear(log_mel(found.mono_22k))
        heard.append(answer.features)
        unfamiliar += answer.familiarity < UNFAMILIAR_BELOW
    return {
        "tempo_demo": asdict(tempo_figures(tempi)),
        "key_demo": {
            "tracks": len(keys),
            "exact": float(np.mean([one == truth for one, truth in keys])),
            "mirex_score": float(np.mean([mirex_key_score(*pair) for pair in keys])),
            "mirex_score_ascending_fifths_only": float(
                np.mean([mirex_key_score(*pair, descending_fifths=False) for pair in keys])
            ),
        },
        "features_demo_measured": contrasts(tracks, measured),
        "features_demo_heard": contrasts(tracks, heard),
        "genre_demo": {"tracks": len(keys), "unlike what the model knows": unfamiliar},
    }


def measure_gtzan(data: Path) -> dict[str, Any]:
    """Tempo on GTZAN's recordings; nothing where they are missing."""
    from analysis.sound.measure import measure
    from analysis.training.measurement_figures import annotated_recordings, tempo_figures

    recordings = annotated_recordings(data)
    if not recordings:
        return {}
    pairs = [(measure(path).rhythm.tempo_bpm, truth) for path, truth in recordings]
    return {"tempo_gtzan_audio": asdict(tempo_figures(pairs))}


def _readable(figures: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.3f}" if isinstance(value, float) else f"{value} {name}"
        for name, value in figures.items()
    )
