"""How many words are heard right, and when: ``manage.py evaluate_lyrics DATA``."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser
from functools import cache
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.management.commands.transcribe import vocal_stem


class Command(BaseCommand):
    help = (
        "Transcribe annotated songs (JamendoLyrics' form) with both engines, from the voice and "
        "from the mix, with the gate and without, and align their words; print word error rates "
        "and onset errors as a table."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("data", type=Path, help="folder with NAME.mp3, NAME.words.csv ...")
        parser.add_argument(
            "--seconds", type=float, help="only so much of each song, from its first words on"
        )
        parser.add_argument(
            "--stems",
            type=Path,
            metavar="DIR",
            help="where separated voices are kept for the next run (a temporary folder)",
        )
        parser.add_argument(
            "--results",
            type=Path,
            metavar="JSON",
            help="what is measured already, and where it is kept: a run goes on from it",
        )
        parser.add_argument("--engine", action="append", help="only this one; may be repeated")
        parser.add_argument("--way", action="append", help="only this one; may be repeated")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            import jiwer  # noqa: F401 - a package for development
        except ImportError as error:
            raise CommandError("This needs jiwer: install requirements-dev.txt.") from error
        from analysis.neural.lyrics import engines
        from analysis.training import lyrics_evaluation
        from analysis.training.lyrics_figures import songs

        ways = (*lyrics_evaluation.WAYS, lyrics_evaluation.ALIGNED)
        for asked, known in ((options["engine"], engines.NAMES), (options["way"], ways)):
            for name in asked or ():
                if name not in known:
                    raise CommandError(f"{name} is none of: {'; '.join(known)}.")
        try:
            annotated = songs(options["data"])
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        with tempfile.TemporaryDirectory(prefix="lyrics-") as temporary:
            stems = options["stems"] or Path(temporary)

            @cache
            def excerpt(song: Any) -> Any:
                return lyrics_evaluation.excerpt(
                    song, voice_of(song.path, stems / song.name), options["seconds"]
                )

            rows = lyrics_evaluation.evaluate(
                excerpt,
                annotated,
                options["results"] or Path(temporary) / "results.json",
                engine_names=tuple(options["engine"] or engines.NAMES),
                ways=tuple(options["way"] or ways),
            )
            self.stdout.write(HEAD)
            for row in rows:
                self.stdout.write(markdown(row))
                self.stdout.flush()


HEAD = (
    "| engine | listens to | WER | put in / left out / exchanged | median onset error | within "
    "0.3 s | CPU | wall |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def voice_of(path: Path, folder: Path) -> Path:
    """The voice's stem of a song in a folder, separated by the starter if it is not there."""
    from analysis.neural.separation.separate import separate

    try:
        return vocal_stem(folder)
    except ValueError:
        return separate(path, folder, engine="starter").files["vocals"]


def markdown(row: Any) -> str:
    """A row of the table in docs/lyrics.md; CPU and wall in seconds per second of sound."""
    found = row.figures
    cells = [
        row.engine,
        row.way,
        f"{100 * found.word_error_rate:.1f} %",
        f"{found.insertions} / {found.deletions} / {found.substitutions} of {found.words}",
        f"{found.median_onset_error_s:.3f} s",
        f"{100 * found.share_within(0.3):.0f} % of {len(found.onset_errors_s)}",
        f"{row.cpu:.3f}",
        f"{row.wall:.3f}",
    ]
    return "| " + " | ".join(cells) + " |"
