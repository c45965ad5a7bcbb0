"""Separate one file into stems: ``manage.py separate FILE --out DIR [--engine E]``."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand

from analysis.neural.separation import engines
from analysis.sound.decode import UndecodableAudio


class Command(BaseCommand):
    help = "Separate one file into stems; needs no account, database or server."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="sound file")
        parser.add_argument("--out", metavar="DIR", type=Path, required=True)
        parser.add_argument(
            "--engine", default=engines.AUTO, choices=(engines.AUTO, *engines.BY_QUALITY)
        )
        parser.add_argument("--device", choices=("cpu", "cuda", "mps"))
        parser.add_argument("--format", default="flac", choices=("flac", "wav"))

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.neural.separation.separate import separate

        try:
            engine = engines.load(options["engine"], device=options["device"])
            self.stdout.write(f"Engine     {described(engine.name)}")
            started = time.monotonic()
            made = separate(
                options["file"],
                options["out"],
                engine=engine,
                file_format=options["format"],
                progress=self._show,
            )
        except UndecodableAudio as error:
            self._refuse(error.message)
        except (ValueError, engines.EngineUnavailable) as error:
            self._refuse(str(error))
        except OSError as error:
            self._refuse(f"The stems cannot be made: {error.strerror or error}.")
        took_s = time.monotonic() - started
        self.stdout.write(
            f"Took       {took_s:.1f} s for {made.duration_s:.1f} s of sound "
            f"(real-time factor {took_s / made.duration_s:.3f})"
        )
        for stem, path in made.files.items():
            self.stdout.write(f"{stem:<10} {path}")

    def _show(self, share: float) -> None:
        self.stdout.write(f"Progress   {100 * share:.0f} %")
        self.stdout.flush()

    def _refuse(self, message: str) -> NoReturn:
        """One clear line on stderr, exit code 2."""
        self.stderr.write(self.style.ERROR(" ".join(message.split())))
        sys.exit(2)


def described(engine: str) -> str:
    """An engine's name, said plainly where it is the starter."""
    if engine == engines.STARTER:
        return "starter (simple; with Demucs models in DEMUCS_DIR the stems are much cleaner)"
    return engine
