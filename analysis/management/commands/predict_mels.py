"""Run mel pictures through the listening model: ``manage.py predict_mels IN.npz OUT.npz``."""

from __future__ import annotations

import sys
import zipfile
from argparse import ArgumentParser
from typing import Any, NoReturn

import numpy as np
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Input: ids (n,), mel (n, 128, T) uint8. Output: ids, labels (k names), probabilities "
        "(n, k), embeddings (n, 128), familiarity (n)."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("input", help="npz file with ids and mel")
        parser.add_argument("output", help="npz file to write")

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.neural.ears import load_ears

        try:
            with np.load(options["input"], allow_pickle=False) as archive:
                ids, mel = archive["ids"], archive["mel"]
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            self._refuse(f"{options['input']} cannot be used: {error}")
        if mel.ndim != 3 or mel.shape[1] != 128 or mel.dtype != np.uint8 or len(ids) != len(mel):
            self._refuse(
                f"expected ids (n,) and mel (n, 128, T) uint8, got {ids.shape} and "
                f"{mel.shape} {mel.dtype}"
            )
        ears = load_ears()
        heard = [ears.predict(picture) for picture in mel]
        np.savez_compressed(
            options["output"],
            ids=ids,
            labels=np.array(ears.labels),
            probabilities=np.array([one.probabilities for one in heard], dtype=np.float32),
            embeddings=np.array([one.embedding for one in heard], dtype=np.float32),
            familiarity=np.array([one.familiarity for one in heard], dtype=np.float32),
        )
        self.stdout.write(f"{len(mel)} tracks written to {options['output']}")

    def _refuse(self, message: str) -> NoReturn:
        self.stderr.write(self.style.ERROR(message))
        sys.exit(2)
