"""Tables of labels in and out: upload, preview, writing, download."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from analysis.downloads import as_download
from analysis.labels import label_export, label_imports
from analysis.labels.access import staff_required
from analysis.labels.label_writing import ImportRefused
from analysis.labels.models import Ballot, LabelImport
from analysis.labels.table_text import (
    DELIMITER_OF_WORD,
    DELIMITERS,
    ENCODINGS,
    MAX_BYTES,
    MAX_ROWS,
    Unreadable,
)
from catalog.models import User
from sonicsite.limits import TokenBuckets, asked_too_often

# Per account and web process: a large table keeps a process busy for seconds.
_READINGS = TokenBuckets(rate=0.1, burst=10)
_DOWNLOADS = TokenBuckets(rate=0.1, burst=10)
_PROBLEMS_PER_PAGE = 100
_RECENT = 10
_IN_MEMORY = 4 * 1024 * 1024


class TableForm(forms.Form):
    """A table to read."""

    file = forms.FileField(
        label="CSV file",
        help_text=f"At most {MAX_BYTES // 1024**2} MB and {MAX_ROWS:,} rows.",
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv,text/plain"}),
    )
    encoding = forms.ChoiceField(
        required=False, choices=[("", "Find out"), *ENCODINGS], label="Encoding"
    )
    delimiter = forms.ChoiceField(
        required=False, choices=[("", "Find out"), *DELIMITERS], label="Separator"
    )

    def clean_file(self) -> Any:
        """Refuse what is too large before it is read."""
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(f"The file is larger than {MAX_BYTES // 1024**2} MB.")
        return file


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def tables(request: HttpRequest) -> HttpResponse:
    """Upload a table, which is only read; or choose how to download one."""
    form = TableForm(request.POST or None, request.FILES or None)
    status = 200
    if request.method == "POST":
        wait_s = _READINGS.wait_s(str(request.user.pk))
        if wait_s > 0.0:
            form.add_error(None, asked_too_often(wait_s))
            status = 429
        elif form.is_valid():
            try:
                return redirect("label_import_preview", import_id=_read(request, form).pk)
            except Unreadable as error:
                form.add_error("file", str(error))
        status = 400 if status == 200 else status
    recent = LabelImport.objects.select_related("uploaded_by").defer("rows", "problems")
    context = {
        "form": form,
        "recent": recent[:_RECENT],
        "kinds": label_export.KINDS,
        "encodings": ENCODINGS,
        "delimiters": [(word, word.capitalize()) for word in DELIMITER_OF_WORD],
        "ballot_count": Ballot.objects.count(),
    }
    return render(request, "analysis/labels/tables.html", context, status=status)


def _read(request: HttpRequest, form: TableForm) -> LabelImport:
    file = form.cleaned_data["file"]
    return label_imports.read_table(
        file.read(),
        name=file.name,
        by=cast(User, request.user),
        encoding=form.cleaned_data["encoding"],
        delimiter=form.cleaned_data["delimiter"],
    )


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: HttpRequest, import_id: uuid.UUID) -> HttpResponse:
    """What a table would change, and every bad row; posting writes it, or forgets it."""
    found = get_object_or_404(LabelImport.objects.defer("rows"), pk=import_id)
    status = 200
    if request.method == "POST" and request.POST.get("action") == "drop":
        label_imports.drop_import(found)
        messages.success(request, f"“{found.original_name}” was forgotten. No label changed.")
        return redirect("label_import")
    if request.method == "POST":
        try:
            label_imports.write_import(
                found.pk,
                by=cast(User, request.user),
                skip_bad_rows="skip_bad_rows" in request.POST,
                new_tags=_numbers(request.POST.getlist("new_tag")),
            )
        except ImportRefused as error:
            messages.error(request, str(error))
            status = 409
        else:
            messages.success(request, f"“{found.original_name}” was written.")
            return redirect("label_import_preview", import_id=found.pk)
    problems = Paginator(found.problems, _PROBLEMS_PER_PAGE).get_page(request.GET.get("page"))
    columns = found.summary["answer_columns"]
    context = {
        "table": found,
        "summary": found.summary,
        "encoding": dict(ENCODINGS)[found.encoding],
        "delimiter": dict(DELIMITERS)[found.delimiter],
        "columns": found.summary["columns"],
        "unknown": label_imports.unknown_columns(found),
        "answer_columns": columns,
        "sample": [
            {**row, "cells": list(zip(columns, row["letters"], strict=True))}
            for row in found.summary["sample"]
        ],
        "page_obj": problems,
    }
    return render(request, "analysis/labels/table_preview.html", context, status=status)


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 6]


@staff_required
@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """The labels as CSV, streamed. ``kind``, ``encoding``, ``delimiter``, ``unlabelled``,
    ``retired``, as the form of the tables' page has them."""
    wait_s = _DOWNLOADS.wait_s(str(request.user.pk))
    if wait_s > 0.0:
        return _refused(asked_too_often(wait_s), 429)
    asked = request.GET
    try:
        options = label_export.Options(
            kind=asked.get("kind", "majority"),
            encoding=asked.get("encoding", "utf-8-sig"),
            delimiter=DELIMITER_OF_WORD.get(asked.get("delimiter", "comma"), ""),
            unlabelled="unlabelled" in asked,
            retired="retired" in asked,
        )
        respond: Callable[..., Any] = _whole if label_export.may_fail(options) else _streamed
        response = respond(options)
    except label_export.NotExportable as error:
        return _refused(str(error), 400)
    name = f"labels-{options.kind}-{timezone.now():%Y-%m-%d}.csv"
    return as_download(response, name)


def _streamed(options: label_export.Options) -> HttpResponseBase:
    return StreamingHttpResponse(label_export.exported(options), content_type="text/csv")


def _whole(options: label_export.Options) -> HttpResponseBase:
    """Written to the end first: a character that the encoding lacks must not cut a download."""
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the response closes it
    try:
        for piece in label_export.exported(options):
            file.write(piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(file, content_type="text/csv")


def _refused(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
