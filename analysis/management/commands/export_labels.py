"""Labels as a table: ``manage.py export_labels OUT.csv [--ballots | --shares]``."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.labels.label_export import NotExportable, Options, exported
from analysis.labels.table_text import DELIMITER_OF_WORD, ENCODINGS


class Command(BaseCommand):
    help = "Write all labels into a CSV file, which import_labels reads again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("out", type=Path, help="the file to write")
        kind = parser.add_mutually_exclusive_group()
        kind.add_argument("--ballots", action="store_true", help="one row per ballot and decision")
        kind.add_argument("--shares", action="store_true", help="shares of yes, and of how many")
        parser.add_argument(
            "--encoding", default="utf-8-sig", choices=[name for name, _ in ENCODINGS]
        )
        parser.add_argument("--delimiter", default="comma", choices=list(DELIMITER_OF_WORD))
        parser.add_argument("--unlabelled", action="store_true", help="clips without labels too")
        parser.add_argument("--retired", action="store_true", help="retired tags too")

    def handle(self, *args: Any, **options: Any) -> None:
        out: Path = options["out"]
        chosen = Options(
            kind="ballots" if options["ballots"] else "shares" if options["shares"] else "majority",
            encoding=options["encoding"],
            delimiter=DELIMITER_OF_WORD[options["delimiter"]],
            unlabelled=options["unlabelled"],
            retired=options["retired"],
        )
        # Under another name first, so that there is a whole table or none.
        try:
            with tempfile.NamedTemporaryFile(
                dir=out.parent, prefix=".labels-", delete=False
            ) as file:
                part = Path(file.name)
                try:
                    for piece in exported(chosen):
                        file.write(piece)
                except BaseException:
                    part.unlink()
                    raise
            part.chmod(0o666 & ~_umask())
            part.replace(out)
        except (OSError, NotExportable) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{out}: {out.stat().st_size:,} bytes")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
