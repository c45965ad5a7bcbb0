"""Write down the words that are sung in a file: ``manage.py transcribe FILE [--language xx]``."""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from analysis.lyrics_document import lines_of
from analysis.lyrics_formats import SongNames, to_lrc
from analysis.lyrics_languages import LANGUAGES, language_name
from analysis.neural.separation.engine import EngineUnavailable as SeparatorUnavailable
from analysis.sound.decode import UndecodableAudio, clock

ENGINES = ("auto", "faster-whisper", "openai-whisper")
_SUFFIXES = (".wav", ".flac")


class Command(BaseCommand):
    help = (
        "Write down the words that are sung in one file, with their times. The voice is separated "
        "first. Needs no account, database or server."
    )
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """The usual parser, but a wrong argument is answered with one line, without the usage."""
        parser = super().create_parser(prog_name, subcommand, **options)
        parser.print_usage = lambda file=None: None  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="sound file")
        parser.add_argument("--language", metavar="xx", help="code of the language (en, fr, de)")
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--lrc", metavar="OUT", type=Path, help="write an LRC file")
        parser.add_argument("--engine", default="auto", choices=ENGINES)
        parser.add_argument(
            "--text",
            metavar="TXT",
            type=Path,
            help="text file with the words as they are: only their times are looked for",
        )
        voice = parser.add_mutually_exclusive_group()
        voice.add_argument(
            "--stems",
            metavar="DIR",
            type=Path,
            help="folder with the file's stems: vocals.wav or .flac, or as `separate` names them",
        )
        voice.add_argument(
            "--vocals", action="store_true", help="the file is a voice alone: do not separate it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.neural.lyrics.recogniser import EngineUnavailable

        path: Path = options["file"]
        try:
            text = options["text"].read_text(encoding="utf-8") if options["text"] else None
            found = self._listen(path, text, options)
        except UndecodableAudio as error:
            self._refuse(error.message)
        except UnicodeDecodeError:
            self._refuse(f"{options['text']} is not a text in UTF-8.")
        except (ValueError, EngineUnavailable, SeparatorUnavailable) as error:
            self._refuse(str(error))
        except OSError as error:
            self._refuse(f"The file cannot be read: {error.strerror or error}.")
        document = found.to_document()
        if options["lrc"]:
            self._write_lrc(options["lrc"], path, document)
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False))
        else:
            self.stdout.write(summary(document))

    def _listen(self, path: Path, text: str | None, options: dict[str, Any]) -> Any:
        if options["language"] and options["language"].strip().lower() not in LANGUAGES:
            raise ValueError(
                f"No language has the code {options['language']}: it is en, fr, es, de ..."
            )
        if options["vocals"]:
            return self._words(path, None, text, options)
        if options["stems"]:
            return self._words(vocal_stem(options["stems"]), path, text, options)
        from analysis.neural.separation.separate import separate

        with tempfile.TemporaryDirectory(prefix="stems-") as folder:
            made = separate(path, Path(folder), engine="starter")
            return self._words(made.files["vocals"], path, text, options)

    def _words(
        self, voice: Path, mix: Path | None, text: str | None, options: dict[str, Any]
    ) -> Any:
        from analysis.neural.lyrics.align import align
        from analysis.neural.lyrics.transcribe import transcribe

        how = {"mix": mix, "language": options["language"], "engine": options["engine"]}
        return transcribe(voice, **how) if text is None else align(voice, text, **how)

    def _write_lrc(self, out: Path, path: Path, document: dict[str, Any]) -> None:
        song = SongNames(
            title=path.stem, language=document["language"], duration_s=document["duration_s"]
        )
        try:
            out.write_text(to_lrc(lines_of(document), song), encoding="utf-8")
        except OSError as error:
            self._refuse(f"{out} cannot be written: {error.strerror or error}.")

    def _refuse(self, message: str) -> NoReturn:
        """One clear line on stderr, exit code 2."""
        self.stderr.write(self.style.ERROR(" ".join(message.split())))
        sys.exit(2)


def vocal_stem(folder: Path) -> Path:
    """The voice in a folder of stems; raises ValueError."""
    for name in ("vocals", "* (vocals) *"):
        found = [path for path in sorted(folder.glob(f"{name}.*")) if path.suffix in _SUFFIXES]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f"{folder} holds {len(found)} vocal stems; it must be one.")
    raise ValueError(f"{folder} holds no vocal stem: vocals.wav or vocals.flac.")


def summary(document: dict[str, Any]) -> str:
    """The document as readable lines."""
    if not document["singing"]:
        return f"No singing found in {clock(document['duration_s'])}."
    by = (
        "as given"
        if document["language_source"] == "artist"
        else f"detected, {document['language_confidence']:.0%} sure"
    )
    head = (
        f"Language   {language_name(document['language'])} ({by})\n"
        f"Model      {document['model']} ({document['engine']})"
    )
    lines = [f"{_minutes(line['start_s'])}   {line['text']}" for line in document["lines"]]
    return "\n".join([head, *lines])


def _minutes(time_s: float) -> str:
    minutes, seconds = divmod(round(time_s, 1), 60)
    return f"{int(minutes):3d}:{seconds:04.1f}"
