"""Labels from a table: ``manage.py import_labels IN.csv [--write] [--skip-bad-rows]``."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.labels.label_imports import read_table, unknown_columns, write_import
from analysis.labels.label_writing import ImportRefused
from analysis.labels.models import LabelImport
from analysis.labels.table_text import DELIMITERS, ENCODINGS, MAX_BYTES, Unreadable
from catalog.models import User

_SHOWN = 50


class Command(BaseCommand):
    help = "Read a table of labels and say what it would change; --write writes it, all or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("table", type=Path)
        parser.add_argument("--write", action="store_true", help="write what was read")
        parser.add_argument("--skip-bad-rows", action="store_true", help="leave bad rows out")
        parser.add_argument(
            "--new-tag",
            action="append",
            default=[],
            metavar="COLUMN",
            help="make a tag of this column; may be repeated. Other unknown columns are left out",
        )
        parser.add_argument(
            "--encoding", default="", choices=["", *(name for name, _ in ENCODINGS)]
        )
        parser.add_argument("--by", default="", metavar="E-MAIL", help="who writes; a superuser")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["table"].open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            by = self._writer(options["by"]) if options["write"] else None
            read = read_table(raw, name=options["table"].name, by=by, encoding=options["encoding"])
        except (OSError, Unreadable) as error:
            raise CommandError(str(error)) from error
        self._describe(read)
        if by is None:
            return
        unknown = {column["header"]: column["index"] for column in unknown_columns(read)}
        if strangers := [name for name in options["new_tag"] if name not in unknown]:
            raise CommandError(f"There is no unknown column called {strangers[0]}.")
        try:
            write_import(
                read.pk,
                by=by,
                skip_bad_rows=options["skip_bad_rows"],
                new_tags=[unknown[name] for name in options["new_tag"]],
            )
        except ImportRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Written.")

    def _writer(self, email: str) -> User:
        staff = User.objects.filter(is_staff=True, is_active=True).order_by("-is_superuser", "pk")
        if email:
            staff = staff.filter(email=email.lower())
        found = staff.first()
        if found is None:
            raise CommandError("Labels are written by somebody of the staff, and there is nobody.")
        return found

    def _describe(self, read: LabelImport) -> None:
        summary, separators = read.summary, dict(DELIMITERS)
        self.stdout.write(
            f"{read.original_name}: {dict(ENCODINGS)[read.encoding]}, "
            f"{separators[read.delimiter].lower()}, {summary['lines']} rows of "
            f"{summary['clips']} clips"
        )
        for column in unknown_columns(read):
            why = f" (“{column['unfit']}” is no answer)" if column["unfit"] else ""
            self.stdout.write(f"Column “{column['header']}” is no tag and is left out{why}.")
        for problem in read.problems[:_SHOWN]:
            where = f", {problem['column']}" if problem["column"] else ""
            self.stdout.write(f"Line {problem['line']}{where}: {problem['text']}")
        if len(read.problems) > _SHOWN:
            self.stdout.write(f"… and {len(read.problems) - _SHOWN} more bad rows.")
        self.stdout.write(
            ", ".join(
                f"{name.replace('_', ' ')} {count}" for name, count in summary["changes"].items()
            )
        )
