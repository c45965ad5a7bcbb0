"""Listen to one file: ``manage.py analyze FILE [--json] [--out DIR] [--genre G]``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from analysis import pictures
from analysis.mixing.targets import ANY_GENRE, load_targets
from analysis.neural.explain import clock
from analysis.neural.weights import WeightsUnavailable
from analysis.sound.decode import UndecodableAudio, probe


class Command(BaseCommand):
    help = "Listen to one file and print what was heard; needs no account, database or server."
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """The usual parser, but a wrong argument is answered with one line, without the usage."""
        parser = super().create_parser(prog_name, subcommand, **options)
        parser.print_usage = lambda file=None: None  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="sound file")
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--out", metavar="DIR", help="write the report's pictures there")
        parser.add_argument("--genre", metavar="G", help="judge the mix against this genre")
        parser.add_argument(
            "--stems",
            metavar="DIR",
            type=Path,
            help="folder with drums, bass, other, vocals (.wav or .flac) of the same mix: what the "
            "genre owes to each",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        try:
            load_targets().check(options["genre"] or ANY_GENRE)
            probe(path)  # what cannot be used is told before the network is loaded
            from analysis.listening import listen

            found = listen(path, target_genre=options["genre"], stems=options["stems"])
        except UndecodableAudio as error:
            self._refuse(error.message)
        except (ValueError, WeightsUnavailable) as error:
            self._refuse(str(error))
        except OSError as error:
            self._refuse(f"The file cannot be read: {error.strerror or error}.")
        if options["out"]:
            self._write_pictures(Path(options["out"]), found)
        if options["json"]:
            self.stdout.write(json.dumps(found.document, ensure_ascii=False, allow_nan=False))
        else:
            self.stdout.write(summary(found.document))

    def _refuse(self, message: str) -> NoReturn:
        """One clear line on stderr, exit code 2."""
        self.stderr.write(self.style.ERROR(" ".join(message.split())))
        sys.exit(2)

    def _write_pictures(self, folder: Path, found: Any) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in found.pictures.items():
                (folder / name).write_bytes(content)
            (folder / "heatmap.png").write_bytes(
                pictures.overlay_png(found.pictures["spectrogram.png"], found.pictures["heat.png"])
            )
            waveform = found.waveform
            (folder / "waveform.png").write_bytes(
                pictures.waveform_png(waveform["min"], waveform["max"])
            )
        except OSError as error:
            self._refuse(f"The pictures cannot be written to {folder}: {error.strerror}.")


def summary(document: dict[str, Any]) -> str:
    """The document as a few readable lines."""
    file, genre, loudness = document["file"], document["genre"], document["loudness"]
    key, tempo = document["key"], document["tempo"]
    ranked = sorted(genre["probabilities"].items(), key=lambda item: -item[1])[:3]
    lines = [
        f"File       {clock(file['duration_s'])}, {file['codec']}, {file['sample_rate']} Hz, "
        f"{file['channels']} channel{'s' if file['channels'] != 1 else ''}",
        "Genre      " + ", ".join(f"{name} {share:.0%}" for name, share in ranked),
        *(f"           {one['sentence']}" for one in genre["explanations"]),
        *(f"           {one['sentence']}" for one in genre.get("stems", {}).get("genres", [])),
        f"Tempo      {tempo['bpm']:.1f} BPM" if tempo["bpm"] else "Tempo      no steady beat found",
        f"Key        {key['tonic']} {key['mode']}" if key["tonic"] else "Key        none found",
        "Features   "
        + ", ".join(f"{n} {v:.2f}" for n, v in document["features"].items() if v is not None),
        f"Loudness   {_number(loudness['integrated_lufs'])} LUFS integrated, range "
        f"{_number(loudness['loudness_range_lu'])} LU, true peak "
        f"{_number(loudness['true_peak_dbtp'])} dBTP",
        f"Mix        against {document['mix']['genre']}:",
    ]
    findings = document["mix"]["findings"]
    lines += [f"           - {f['title']}. {f['advice']['text']}" for f in findings if f["advice"]]
    lines += [f"           - {f['title']}." for f in findings if not f["advice"]]
    if not findings:
        lines.append("           nothing outside the corridor")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
