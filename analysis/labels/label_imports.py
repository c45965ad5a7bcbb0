"""A table of labels from a file: read, looked through, written; nothing half."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection
from dataclasses import asdict
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from analysis.labels import table_columns
from analysis.labels.label_reading import Known, Understood, understand
from analysis.labels.label_writing import Changes, ImportRefused, Writer, conflicts
from analysis.labels.models import LabelImport, TimbreTag, VoiceClip
from analysis.labels.table_columns import Column, columns_of
from analysis.labels.table_text import Unreadable, decoded, delimiter_of, lines_of
from analysis.labels.tags import add_tag
from catalog.models import Role, User
from catalog.names import clean_filename

_SAMPLE = 20
# Tables that were read and never written are kept so many, the newest.
_KEPT_UNWRITTEN = 20


def read_table(
    raw: bytes, *, name: str, by: User | None, encoding: str = "", delimiter: str = ""
) -> LabelImport:
    """Read a table and keep what was understood of it; no label changes.

    Raises :class:`~analysis.labels.table_text.Unreadable` for what is no table of labels.
    """
    known = Known.of(VoiceClip.objects.values_list("pk", "name"), _raters())
    tags = list(TimbreTag.objects.all())
    best: tuple[str, str, list[Column], Understood] | None = None
    refusal: Unreadable | None = None
    for found_encoding, text in decoded(raw, encoding):
        separator = delimiter or delimiter_of(text)
        try:
            lines = lines_of(text, separator)
            headers = next(lines, (0, []))
            columns = columns_of(headers[1], tags)
            understood = understand(columns, lines, known)
        except Unreadable as error:
            refusal = refusal or error
            continue
        if best is None or understood.matched > best[3].matched:
            best = (found_encoding, separator, columns, understood)
        if best[3].matched == best[3].lines:
            break
    if best is None:
        raise refusal or Unreadable("The file is empty.")
    return _kept(raw, name, by, *best)


def _raters() -> dict[str, int]:
    """Whose answers a table may bring: all who may label."""
    may = User.objects.filter(Q(is_staff=True) | Q(role=Role.LABELLER))
    return {email.lower(): pk for pk, email in may.values_list("pk", "email")}


def _kept(
    raw: bytes,
    name: str,
    by: User | None,
    encoding: str,
    delimiter: str,
    columns: list[Column],
    understood: Understood,
) -> LabelImport:
    foreign = {row[0]: row for row in conflicts(understood.rows)}
    understood.rows = [row for row in understood.rows if row[0] not in foreign]
    for row in foreign.values():
        text = "The ballot of this id is about another clip here."
        understood.problems.append({"line": row[0], "column": table_columns.BALLOT, "text": text})
    understood.problems.sort(key=lambda problem: problem["line"])
    sha256 = hashlib.sha256(raw).hexdigest()
    source = _source_of(sha256, name)
    slugs = {tag.slug: tag for tag in TimbreTag.objects.all()}
    tags = [slugs.get(column.slug) for column in understood.answer_columns]
    changes = Writer(tags, source).run(understood.rows)
    names = dict(
        VoiceClip.objects.filter(pk__in=[row[1] for row in understood.rows[:_SAMPLE]]).values_list(
            "pk", "name"
        )
    )
    made = LabelImport.objects.create(
        original_name=clean_filename(name),
        encoding=encoding,
        delimiter=delimiter,
        rows=understood.rows,
        problems=understood.problems,
        uploaded_by=by,
        summary={
            "source": source,
            "sha256": sha256,
            "columns": [column.as_dict() for column in columns],
            "answer_columns": [column.as_dict() for column in understood.answer_columns],
            "unfit": {str(index): cell for index, cell in understood.unfit.items()},
            "lines": understood.lines,
            "rows": len(understood.rows),
            "clips": len({row[1] for row in understood.rows}),
            "bad_rows": len({problem["line"] for problem in understood.problems}),
            "without_answers": understood.without_answers,
            "repeated": understood.repeated,
            "unknown_raters": understood.unknown_raters,
            "changes": asdict(changes),
            "sample": [
                {"line": row[0], "name": names[uuid.UUID(row[1])], "letters": row[2]}
                for row in islice(understood.rows, _SAMPLE)
            ],
        },
    )
    _forget_old()
    return made


def _source_of(sha256: str, name: str) -> str:
    """What ballots of the table say they are from: its name; if the same content was written
    before under another name, that one, so that it is not counted twice."""
    before = LabelImport.objects.filter(written_at__isnull=False, summary__sha256=sha256)
    first = before.order_by("written_at").values_list("summary__source", flat=True).first()
    return first or clean_filename(name)[:150]


def _forget_old() -> None:
    unwritten = LabelImport.objects.filter(written_at__isnull=True).order_by("-created_at")
    old = list(unwritten.values_list("pk", flat=True)[_KEPT_UNWRITTEN:])
    LabelImport.objects.filter(pk__in=old).delete()


def unknown_columns(label_import: LabelImport) -> list[dict[str, Any]]:
    """Columns of no tag, as the preview offers them: ``index``, ``header``, and ``unfit``, a cell
    that is no answer (so the column cannot become a tag), or nothing."""
    unfit = label_import.summary["unfit"]
    return [
        {**column, "unfit": unfit.get(str(column["index"]), "")}
        for column in label_import.summary["answer_columns"]
        if column["role"] == "unknown"
    ]


def write_import(
    import_id: uuid.UUID,
    *,
    by: User,
    skip_bad_rows: bool = False,
    new_tags: Collection[int] = (),
) -> Changes:
    """Write a table that was read: all of it, or nothing.

    ``new_tags`` are indexes of unknown columns to make tags of; the others are left out. Raises
    :class:`~analysis.labels.label_writing.ImportRefused`.
    """
    try:
        with transaction.atomic():
            return _write(import_id, by, skip_bad_rows, new_tags)
    except IntegrityError as error:
        raise ImportRefused(
            "Labels changed while the table was being written. Nothing was written; try again."
        ) from error


def _write(
    import_id: uuid.UUID, by: User, skip_bad_rows: bool, new_tags: Collection[int]
) -> Changes:
    label_import = LabelImport.objects.select_for_update(of=("self",)).get(pk=import_id)
    if label_import.written_at is not None:
        raise ImportRefused("This table has been written already.")
    if label_import.problems and not skip_bad_rows:
        count = label_import.summary["bad_rows"]
        raise ImportRefused(
            f"{count} row{'s' if count != 1 else ''} cannot be written. Mend the file and read it "
            "again, or choose to leave them out."
        )
    tags = [
        _tag_of(column, label_import, new_tags) for column in label_import.summary["answer_columns"]
    ]
    if not any(tags):
        raise ImportRefused("No column is for a tag, so there is nothing to write.")
    changes = Writer(tags, label_import.summary["source"], by=by).run(label_import.rows)
    label_import.written_at = timezone.now()
    label_import.summary["changes"] = asdict(changes)
    label_import.summary["written_by"] = by.email
    # What was written is kept in the ballots; the row stays as the record of it.
    label_import.rows = []
    label_import.save(update_fields=["written_at", "summary", "rows"])
    return changes


def _tag_of(
    column: dict[str, Any], label_import: LabelImport, new_tags: Collection[int]
) -> TimbreTag | None:
    if column["role"] == "tag":
        tag = TimbreTag.objects.filter(slug=column["slug"]).first()
        if tag is None:
            raise ImportRefused(f"The tag {column['slug']} is gone. Read the table again.")
        return tag
    if column["index"] not in new_tags:
        return None
    if str(column["index"]) in label_import.summary["unfit"]:
        raise ImportRefused(f"The column “{column['header']}” holds what is no answer.")
    try:
        return add_tag(name=column["header"])
    except ValidationError as error:
        reasons = " ".join(error.messages)
        raise ImportRefused(f"“{column['header']}” cannot become a tag. {reasons}") from error


def drop_import(label_import: LabelImport) -> None:
    """Forget a table that was read and not written."""
    LabelImport.objects.filter(pk=label_import.pk, written_at__isnull=True).delete()
