"""Reading the stems of a revision: their report, and their files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.db.models import QuerySet

from analysis import services
from analysis.models import Report, Stage
from catalog.models import Revision
from catalog.streaming import pieces


class NoStems(LookupError):
    """The revision has no stems, or none of that name."""


def stems_reports(revision: Revision) -> list[Report]:
    """Every separation of a revision's content, the newest first; one for each engine."""
    return list(_newest_first(revision))


def _newest_first(revision: Revision) -> QuerySet[Report]:
    return Report.objects.filter(
        content_sha256=revision.content_sha256, stage=Stage.SEPARATE
    ).order_by("-created_at")


def stems_report(revision: Revision, engine: str = "") -> Report | None:
    """The newest separation of a revision (by ``engine``, if one is named); None if there is none.

    Its document is described in ``docs/separation.md``.
    """
    reports = _newest_first(revision)
    return (reports.filter(document__engine=engine) if engine else reports).first()


def stem_entry(report: Report, stem: str) -> dict[str, Any]:
    """What the report says of one stem. Raises NoStems."""
    for entry in report.document["stems"]:
        if entry["name"] == stem:
            found: dict[str, Any] = entry
            return found
    raise NoStems(f"there is no stem called {stem}")


@contextmanager
def stem_path(revision: Revision, stem: str, *, report: Report | None = None) -> Iterator[Path]:
    """A path at which a whole stem can be read, whichever storage holds it: 44.1 kHz stereo FLAC.

    ``report`` picks a separation, the newest without it. Raises NoStems, and FileNotFoundError if
    the storage has lost the file.
    """
    chosen = report or stems_report(revision)
    if chosen is None:
        raise NoStems("this version has not been separated")
    with local_file(services.derived_name(chosen, stem_entry(chosen, stem)["file"])) as path:
        yield path


@contextmanager
def local_file(name: str) -> Iterator[Path]:
    """A path at which a file of the storage can be read. Raises FileNotFoundError."""
    if not default_storage.exists(name):
        raise FileNotFoundError(name)
    try:
        path = Path(default_storage.path(name))
    except NotImplementedError:
        with tempfile.NamedTemporaryFile(prefix="svp-", suffix=Path(name).suffix) as copy:
            for piece in pieces(default_storage, name, first=0, length=default_storage.size(name)):
                copy.write(piece)
            copy.flush()
            yield Path(copy.name)
    else:
        yield path
