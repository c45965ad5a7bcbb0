"""The walk over consenting discographies and uploaded takes: stems, clips, near-duplicates.

What a recording gave is stored in one transaction with the note that it has been cut
(:class:`~analysis.labels.models.CutRecording`), so a run that is killed anywhere goes on with the
recording it was at. Consent is looked at again in that transaction.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.db import transaction

from analysis import services
from analysis.labels import pool_services, predicting
from analysis.labels.duplicates import KnownClips, judge_widowed
from analysis.labels.models import CutRecording, PoolRun, VocalTake
from analysis.labels.pool_counts import add_counts, set_counts
from analysis.labels.pool_cutting import CUTTING_VERSION, Cut, cut_revision, cut_take
from analysis.labels.pool_storing import ConsentGone, Origin, store_cut
from analysis.labels.pool_targets import Targets, ask_for_stems, find_targets
from analysis.sound.decode import UndecodableAudio
from analysis.stem_files import stems_report

log = logging.getLogger(__name__)

ROUND_S = 60.0
"""How long a run keeps a worker before others have a turn."""

MISSING = "A file of it is missing from the storage."


class Beating(Protocol):
    """What a run reports to; see :class:`analysis.heart.Heart`."""

    def progress(self, fraction: float, message: str) -> None: ...

    def check(self) -> None: ...


@dataclass
class _Round:
    run: PoolRun
    heart: Beating
    until: float
    known: KnownClips | None = None

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.until

    def known_clips(self) -> KnownClips:
        if self.known is None:
            self.known = KnownClips()
        return self.known


def collect(run: PoolRun, heart: Beating, *, round_s: float = ROUND_S) -> bool:
    """One round of a claimed run. It ends done, at the end of the queue, or waiting for stems;
    returns whether it is done.

    Raises :class:`analysis.background.Lost` when it was stopped or given to another worker.
    """
    turn = _Round(run, heart, time.monotonic() + round_s)
    heart.progress(0.0, "Looking for recordings")
    if not _cut_takes(turn):
        pool_services.give_up_turn(run)
        return False
    targets = find_targets(run.scope)
    ask_for_stems(targets.without_stems, check=heart.check)
    finished = _cut_tracks(turn, targets)
    targets = find_targets(run.scope)
    set_counts(run, targets.counts())
    if not finished or targets.ready:
        pool_services.give_up_turn(run)
        return False
    if back := judge_widowed(turn.known_clips()):
        log.info("%d clips take the place of duplicates that are gone", back)
    predicted, complete = predicting.refresh(heart, until=turn.until)
    add_counts(run, {"predicted": predicted})
    if not complete:
        pool_services.give_up_turn(run)
        return False
    if targets.waiting:
        pool_services.wait_for_stems(run, len(targets.waiting))
        return False
    return services.with_database(lambda: pool_services.finish_or_go_on(run))


def _cut_takes(turn: _Round) -> bool:
    """Cut the takes that have not been cut; False if the round was over before."""
    for take in VocalTake.objects.filter(cut=None).select_related("artist").order_by("created_at"):
        if turn.is_over:
            return False
        turn.heart.progress(0.0, f"Cutting {take.original_name}")
        _cut_one(turn, Origin(take=take))
    return True


def _cut_tracks(turn: _Round, targets: Targets) -> bool:
    """Cut the versions whose stems are there; False if the round was over before."""
    for number, revision in enumerate(targets.ready):
        if turn.is_over:
            return False
        share = (targets.cut + number) / max(1, targets.tracks)
        turn.heart.progress(share, f"Cutting {revision.track}")
        _cut_one(turn, Origin(revision=revision))
    return True


def _cut(turn: _Round, origin: Origin) -> Cut:
    if origin.take is not None:
        longest_s = float(settings.UPLOAD_MAX_SECONDS)
        return cut_take(origin.take, max_duration_s=longest_s, check=turn.heart.check)
    assert origin.revision is not None
    stems = stems_report(origin.revision)
    if stems is None:
        raise FileNotFoundError("the stems are gone")
    return cut_revision(origin.revision, stems, check=turn.heart.check)


def _cut_one(turn: _Round, origin: Origin) -> None:
    try:
        found = store_cut(turn.run, origin, _cut(turn, origin), turn.known_clips())
    except ConsentGone:
        log.info("consent ended while %s was cut", origin)
        # What was about to be stored is in memory as an original.
        turn.known = None
    except UndecodableAudio as error:
        _note(turn.run, origin, error.message)
    except FileNotFoundError:
        log.exception("a file of %s is missing", origin)
        _note(turn.run, origin, MISSING)
    else:
        log.info("cut %s: %s", origin, found)


def _note(run: PoolRun, origin: Origin, reason: str) -> None:
    """Write down that a recording gave nothing, so that it is not tried for ever."""
    with transaction.atomic():
        CutRecording.objects.get_or_create(
            **origin.columns(), defaults={"cutting_version": CUTTING_VERSION, "reason": reason}
        )
        add_counts(run, {"failed": 1})
