"""Judge one voice: ``manage.py analyze_vocal FILE [--json] [--stems DIR | --separate]``."""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from analysis.neural.weights import WeightsUnavailable
from analysis.sound.decode import UndecodableAudio
from analysis.sound.refusals import clock

_SUFFIXES = (".flac", ".wav")


class Command(BaseCommand):
    help = "Judge the timbre of one voice; needs no account, database or server."
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """The usual parser, but a wrong argument is answered with one line, without the usage."""
        parser = super().create_parser(prog_name, subcommand, **options)
        parser.print_usage = lambda file=None: None  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a voice: recorded dry, or a vocal stem")
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        among = parser.add_mutually_exclusive_group()
        among.add_argument(
            "--stems",
            metavar="DIR",
            type=Path,
            help="folder with the other stems of the same mix (drums, bass, other; .wav or .flac): "
            "what is far quieter than they are is left out",
        )
        among.add_argument(
            "--separate", action="store_true", help="FILE is a mix: separate its voice first"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.neural.separation.engines import EngineUnavailable
        from analysis.neural.timbre import analyze

        try:
            if options["separate"]:
                voice, rate, rest = separated(options["file"])
            else:
                voice, rate, rest = with_stems(options["file"], options["stems"])
            report = analyze((voice, rate), rest)
        except UndecodableAudio as error:
            self._refuse(error.message)
        except (ValueError, WeightsUnavailable, EngineUnavailable) as error:
            self._refuse(str(error))
        except OSError as error:
            self._refuse(f"The file cannot be read: {error.strerror or error}.")
        document = report.to_document()
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False))
        else:
            self.stdout.write(summary(document))

    def _refuse(self, message: str) -> NoReturn:
        """One clear line on stderr, exit code 2."""
        self.stderr.write(self.style.ERROR(" ".join(message.split())))
        sys.exit(2)


def with_stems(file: Path, folder: Path | None) -> tuple[Any, int, Any]:
    """A voice (n,), its rate, and the sum of the other stems in a folder."""
    from analysis.sound.voice.recording import read_mono

    voice, rate = read_mono(file)
    if folder is None:
        return voice, rate, None
    others = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _SUFFIXES
        and path.resolve() != file.resolve()
        and "vocals" not in path.stem.lower()
    ]
    if not others:
        raise ValueError(f"There are no other stems (.wav or .flac) in {folder}.")
    rest = None
    for path in others:
        stem, stem_rate = read_mono(path)
        if stem_rate != rate or len(stem) != len(voice):
            raise ValueError(
                f"{path.name} is no stem of the same mix: it has another length or sample rate."
            )
        rest = stem if rest is None else rest + stem
    return voice, rate, rest


def separated(mix: Path) -> tuple[Any, int, Any]:
    """The voice of a mix (n,), its rate, and the rest."""
    from analysis.neural.separation.separate import separate
    from analysis.sound.voice.recording import read_mono

    with tempfile.TemporaryDirectory() as folder:
        made = separate(mix, Path(folder))
        voice, rate = read_mono(made.files["vocals"])
        rest = sum(read_mono(path)[0] for name, path in made.files.items() if name != "vocals")
    return voice, rate, rest


def summary(document: dict[str, Any]) -> str:
    """The document as a few readable lines."""
    if not document["singing"]:
        return str(document["reason"])
    lines = [
        f"Voice      {document['clips']['used']} clips, {clock(document['duration_s'])} in all"
    ]
    for name, tag in document["tags"].items():
        spread = tag["spread"]
        lines.append(
            f"{name.capitalize():<10} {tag['probability']:.2f}  "
            f"({spread['p10']:.2f} to {spread['p90']:.2f})"
        )
        shown = [
            f"{measure} {one['value']:.4g} (percentile {one['percentile']:.0f})"
            for measure in tag["measures"]
            if (one := document["evidence"][measure])["value"] is not None
            and one["percentile"] is not None
        ]
        if shown:
            lines.append("           " + ", ".join(shown))
    return "\n".join(lines)
