"""Which clip comes next for a rater.

A draw first picks a *lane*, by the shares that staff set; a lane that is empty gives way to the
others. Lanes that a model may steer never reach held-out clips, nor those of the control band
(``lot`` below ``control_share``): what is labelled of both is, at any time, a simple random sample.
See docs/labelling.md for the lanes and what they cost.
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from analysis.labels import clip_locks, label_settings
from analysis.labels.models import (
    Answer,
    Ballot,
    ClipState,
    LabelSettings,
    TimbreTag,
    VoiceClip,
    Vote,
)
from catalog.models import User

UNCERTAIN = "uncertain"
BALANCE = "balance"
CONTROL = "control"
HELD_OUT = "held_out"
OVERLAP = "overlap"
DISPUTED = "disputed"
GOLD = "gold"
AGAIN = "again"

# The model ranks this many clips, taken in the order of the lot from a random place on. The best of
# 300 is among the top third of a percent of the pool, costs the same however large that is, and
# clips of one song do not all come in a row.
WINDOW = 300
_TRIES = 25
_YES_COUNTS_SECONDS = 60
_YES_COUNTS_KEY = "labels-yes-counts"
# Where the chosen lane is empty, these are tried in turn.
_FALLBACKS = (DISPUTED, OVERLAP, UNCERTAIN, CONTROL, HELD_OUT, GOLD, AGAIN)

Chance = random.Random


def next_clip(
    rater: User,
    *,
    holding: Collection[uuid.UUID] = (),
    page: uuid.UUID | None = None,
    chance: Chance | None = None,
) -> VoiceClip | None:
    """Lock a clip for ``rater`` and return it; None if nothing is left for her now.

    ``holding`` are the clips that her page has already: other live locks of hers (of a page that
    is gone) come first. ``page`` is the page that asks: one that was left meanwhile gets nothing.
    ``chance`` is for tests.
    """
    chance = chance or random.SystemRandom()
    wishes = label_settings.current()
    now = timezone.now()
    with transaction.atomic():
        if page is not None:
            clip_locks.turn_of(rater, page)
            if clip_locks.has_left(rater, page):
                return None
        draw = _Draw(rater, holding, wishes, chance, now)
        clip, strategy = draw.forgotten(), ""
        if clip is None:
            first = lane_of_draw(wishes, chance)
            for lane in (first, *(lane for lane in _FALLBACKS if lane != first)):
                clip, strategy = draw.of(lane)
                if clip is not None:
                    break
        if clip is not None:
            reason = strategy or clip.locked_for
            clip_locks.lock(clip, rater, reason, wishes.lock_minutes, now, page=page)
    return clip


def lane_of_draw(wishes: LabelSettings, chance: Chance) -> str:
    """The lane of one draw. Several votes: of n clips, ``overlap_share`` · n get
    ``overlap_votes - 1`` further ones, so that is their share of all draws."""
    further = wishes.overlap_share * max(0, wishes.overlap_votes - 1)
    if chance.random() < wishes.gold_share:
        return GOLD
    if chance.random() < further / (1.0 + further):
        return DISPUTED
    if chance.random() < wishes.held_out_share:
        return HELD_OUT
    if chance.random() < wishes.control_share:
        return CONTROL
    return chance.choice((UNCERTAIN, BALANCE))


def uncertainty(predicted: Mapping[str, float], tags: Collection[str]) -> float:
    """Mean entropy in bits over the tags that were predicted; 0 if none was.

    >>> uncertainty({"warm": 0.5, "rough": 1.0}, ["warm", "rough", "clean"])
    0.5
    """
    known = [float(predicted[tag]) for tag in tags if tag in predicted]
    if not known:
        return 0.0
    return sum(_entropy(p) for p in known) / len(known)


def _entropy(p: float) -> float:
    if not 0.0 < p < 1.0:
        return 0.0
    return -(p * math.log2(p) + (1.0 - p) * math.log2(1.0 - p))


def yes_counts() -> dict[str, int]:
    """Votes of yes by tag in use, at most a minute old."""
    counts: dict[str, int] | None = cache.get(_YES_COUNTS_KEY)
    if counts is None:
        live = TimbreTag.objects.filter(retired_at__isnull=True)
        counts = dict.fromkeys(live.values_list("slug", flat=True), 0)
        counts |= dict(
            Vote.objects.filter(answer=Answer.YES, tag__in=live)
            .order_by()
            .values_list("tag__slug")
            .annotate(Count("pk"))
        )
        cache.set(_YES_COUNTS_KEY, counts, _YES_COUNTS_SECONDS)
    return counts


def without_votes() -> QuerySet[VoiceClip]:
    """Clips that nobody has answered, gold ones apart."""
    return VoiceClip.objects.filter(state=ClipState.POOL, votes=0, gold={})


def with_too_few_votes(wishes: LabelSettings) -> QuerySet[VoiceClip]:
    """Clips of the overlap that have votes, and shall have more."""
    return VoiceClip.objects.filter(
        state=ClipState.POOL,
        votes__gt=0,
        votes__lt=wishes.overlap_votes,
        gold={},
        overlap_lot__lt=wishes.overlap_share,
    )


class _Draw:
    """One draw, inside its transaction: the lanes as queries."""

    def __init__(
        self,
        rater: User,
        holding: Collection[uuid.UUID],
        wishes: LabelSettings,
        chance: Chance,
        now: datetime,
    ) -> None:
        self.rater = rater
        self.holding = list(holding)
        self.wishes = wishes
        self.chance = chance
        self.now = now

    def of(self, lane: str) -> tuple[VoiceClip | None, str]:
        """A clip of the lane, and why it was chosen (empty lane: None)."""
        by_lane: dict[str, Callable[[], VoiceClip | None]] = {
            DISPUTED: self._disputed,
            OVERLAP: self._overlap,
            HELD_OUT: self._held_out,
            CONTROL: self._control,
            GOLD: self._gold,
            AGAIN: self._skipped_before,
        }
        if lane in by_lane:
            return by_lane[lane](), CONTROL if lane == HELD_OUT else lane
        return self._by_model(lane)

    def forgotten(self) -> VoiceClip | None:
        """A clip that is locked for her, but that her page does not know of."""
        mine = VoiceClip.objects.filter(
            state=ClipState.POOL, locked_by=self.rater, locked_until__gt=self.now
        ).exclude(pk__in=self.holding)
        return self._first(self._unanswered(mine).order_by("locked_until"))

    def _disputed(self) -> VoiceClip | None:
        """Raters differ, and staff have not settled it: more votes first where there are few."""
        clips = VoiceClip.objects.filter(
            state=ClipState.POOL,
            is_disputed=True,
            votes__lt=self.wishes.overlap_votes,
            gold={},
            is_held_out=False,
        )
        return self._first(self._free(clips).order_by("votes"))

    def _overlap(self) -> VoiceClip | None:
        return self._first(self._free(with_too_few_votes(self.wishes)).order_by("overlap_lot"))

    def _held_out(self) -> VoiceClip | None:
        return self._first(self._free(without_votes().filter(is_held_out=True)).order_by("lot"))

    def _control(self) -> VoiceClip | None:
        band = without_votes().filter(is_held_out=False, lot__lt=self.wishes.control_share)
        return self._first(self._free(band).order_by("lot"))

    def _gold(self) -> VoiceClip | None:
        clips = VoiceClip.objects.filter(Q(state=ClipState.POOL) & ~Q(gold={}))
        return self._first(self._free(clips).order_by("lot"))

    def _skipped_before(self) -> VoiceClip | None:
        """What she skipped comes back once, the longest ago first."""
        wanted = Q(votes=0) | ~Q(gold={})
        wanted |= Q(votes__lt=self.wishes.overlap_votes, overlap_lot__lt=self.wishes.overlap_share)
        skipped = Ballot.objects.filter(rater=self.rater, skipped=True).exclude(strategy=AGAIN)
        clips = VoiceClip.objects.filter(
            wanted,
            self._is_free(),
            state=ClipState.POOL,
            pk__in=skipped.order_by("updated_at").values("clip")[:50],
        )
        return self._first(clips.exclude(pk__in=self.holding))

    def _by_model(self, lane: str) -> tuple[VoiceClip | None, str]:
        """The most uncertain clip, or the likeliest one for a tag with few votes of yes; where the
        model has said nothing, any clip, and that is a random draw."""
        rows = self._window()
        counts = yes_counts()
        if lane == BALANCE and counts:
            wanted = self.chance.choices(
                list(counts), weights=[1.0 / (1 + count) for count in counts.values()]
            )[0]
            scores = {pk: float(predicted.get(wanted, 0.0)) for pk, predicted in rows}
        else:
            scores = {pk: uncertainty(predicted, counts) for pk, predicted in rows}
        strategy = lane if any(score > 0.0 for score in scores.values()) else CONTROL
        for pk in sorted(scores, key=scores.__getitem__, reverse=True)[:_TRIES]:
            clip = self._first(self._free(without_votes().filter(pk=pk)))
            if clip is not None:
                return clip, strategy
        return None, strategy

    def _window(self) -> list[tuple[uuid.UUID, dict[str, float]]]:
        """Ids and predictions of free clips, in the order of the lot from a random place on."""
        lowest = self.wishes.control_share
        pivot = lowest + self.chance.random() * (1.0 - lowest)
        clips = self._free(without_votes().filter(is_held_out=False)).order_by("lot")
        rows = list(clips.filter(lot__gte=pivot).values_list("pk", "predicted")[:WINDOW])
        if len(rows) < WINDOW:
            before = clips.filter(lot__gte=lowest, lot__lt=pivot)
            rows += before.values_list("pk", "predicted")[: WINDOW - len(rows)]
        return rows

    def _is_free(self) -> Q:
        return Q(locked_until__isnull=True) | Q(locked_until__lt=self.now)

    def _free(self, clips: QuerySet[VoiceClip]) -> QuerySet[VoiceClip]:
        """Those that nobody has locked, and that she has neither answered nor skipped."""
        if self.holding:
            clips = clips.exclude(pk__in=self.holding)
        return self._unanswered(clips.filter(self._is_free()))

    def _unanswered(self, clips: QuerySet[VoiceClip]) -> QuerySet[VoiceClip]:
        return clips.filter(~Exists(Ballot.objects.filter(clip=OuterRef("pk"), rater=self.rater)))

    def _first(self, clips: QuerySet[VoiceClip]) -> VoiceClip | None:
        """The first row that nobody else is about to take, locked until the transaction ends."""
        rows = clips.select_for_update(skip_locked=True, of=("self",))
        return next(iter(rows.defer("fingerprint", "facts")[:1]), None)
