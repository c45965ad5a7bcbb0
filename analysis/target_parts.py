"""What reports give to an artist's own mix targets, and why some of them give nothing."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator

from analysis.mixing import load_targets
from analysis.mixing.own_targets import FORMAT, ReferenceTrack, UnusableTarget
from analysis.models import Report
from analysis.target_selectors import Part

log = logging.getLogger(__name__)

_NOT_HEARD = "None of these tracks has a report yet. Wait until one has been listened to."
_HEARD_BEFORE_CURVES = (
    "The reports of these tracks were made by an older version, which kept too little for a "
    "target. Listen to them again first: “Listen again” on a track's page."
)
_AT_ONCE = 20


def stamp_of(parts: list[Part]) -> str:
    """What a target is made of: reports as they were written at a time, weights, and the figures it
    is measured with; 64 hexadecimal digits."""
    rows = sorted(f"{part.report_id} {part.made_at.isoformat()} {part.weight!r}" for part in parts)
    text = "\n".join([FORMAT, load_targets().version, *rows])
    return hashlib.sha256(text.encode()).hexdigest()


def reference_tracks(parts: list[Part]) -> list[ReferenceTrack]:
    """What the reports say of their tracks; those that no target can be made of are left out."""
    return [track for track in _read(parts) if isinstance(track, ReferenceTrack)]


def unusable_because(parts: list[Part]) -> str:
    """Why no target can be made of these reports, for people."""
    reasons = [str(track) for track in _read(parts) if isinstance(track, UnusableTarget)]
    if not reasons:
        return _NOT_HEARD
    return _HEARD_BEFORE_CURVES if _HEARD_BEFORE_CURVES in reasons else reasons[0]


def _read(parts: list[Part]) -> Iterator[ReferenceTrack | UnusableTarget]:
    """Each report as a part of a target, or why it cannot be one."""
    points = load_targets().tonal.frequencies_hz.size
    weights = {part.report_id: part.weight for part in parts}
    rows = Report.objects.filter(pk__in=weights).values_list("pk", "document")
    for report_id, document in rows.iterator(chunk_size=_AT_ONCE):
        try:
            curve = document["mix"].get("curve") or {}
            if len(curve.get("measured_db") or ()) != points:
                raise UnusableTarget(_HEARD_BEFORE_CURVES)
            track = ReferenceTrack.of_document(document, weight=weights[report_id])
        except UnusableTarget as error:
            yield error
        except (KeyError, TypeError) as error:  # by a version that kept less
            log.warning("report %s cannot be part of a mix target: %r", report_id, error)
            yield UnusableTarget(_HEARD_BEFORE_CURVES)
        else:
            yield track
