"""What all raters together say about a clip: soft labels that keep their disagreement.

A label is the share of *yes* among the yes and no of all ballots. "Can't tell" says nothing about
the voice and does not count. What staff have settled stands above the votes, which stay. Soft
targets of this kind carry more than a majority vote does (Uma et al. 2021, "Learning from
disagreement: a survey", Journal of Artificial Intelligence Research 72).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Count, Q, QuerySet

from analysis.labels.models import Adjudication, Answer, TimbreTag, VoiceClip, Vote

# So many ids go into one query.
_IDS_AT_ONCE = 20_000

Labels = dict[uuid.UUID, dict[str, "SoftLabel"]]


@dataclass(frozen=True, slots=True)
class SoftLabel:
    """``value``: 0 (no) to 1 (yes). ``votes``: how many said yes or no. ``adjudicated``: settled
    by staff, so ``value`` is 0 or 1 whatever the votes were."""

    value: float
    votes: int
    adjudicated: bool = False


def live_slugs() -> list[str]:
    """Tags in use, in their order."""
    return list(TimbreTag.objects.filter(retired_at__isnull=True).values_list("slug", flat=True))


def consensus(
    clip_ids: Iterable[uuid.UUID] | QuerySet[VoiceClip] | None, tags: Iterable[str] | None = None
) -> Labels:
    """Soft labels of clips, by clip and tag's slug.

    ``clip_ids`` are ids, or a queryset of clips (which costs two queries however many they are),
    or None for all clips. ``tags`` are slugs, retired ones too; None stands for those in use. A
    clip without any label, and a tag without any, has no entry.
    """
    slugs = live_slugs() if tags is None else list(tags)
    found: Labels = {}
    for of_clips in _portions(clip_ids):
        _add_votes(found, slugs, of_clips)
        _add_adjudications(found, slugs, of_clips)
    return found


# Ids, or a subquery of ids, or None for all.
Clips = Sequence[uuid.UUID] | QuerySet[VoiceClip, Any] | None


def _portions(clip_ids: Iterable[uuid.UUID] | QuerySet[VoiceClip] | None) -> Iterator[Clips]:
    if clip_ids is None:
        yield None
    elif isinstance(clip_ids, QuerySet) and not clip_ids.query.is_sliced:
        yield clip_ids.order_by().values("pk")
    else:
        ids = iter(
            clip_ids.values_list("pk", flat=True) if isinstance(clip_ids, QuerySet) else clip_ids
        )
        while portion := list(islice(ids, _IDS_AT_ONCE)):
            yield portion


def _add_votes(found: Labels, slugs: Sequence[str], clips: Clips) -> None:
    votes = Vote.objects.filter(tag__slug__in=slugs, answer__in=(Answer.YES, Answer.NO))
    if clips is not None:
        votes = votes.filter(ballot__clip__in=clips)
    counted = (
        votes.order_by()
        .values_list("ballot__clip_id", "tag__slug")
        .annotate(count=Count("pk"), yes=Count("pk", filter=Q(answer=Answer.YES)))
    )
    for clip_id, slug, count, yes in counted.iterator(chunk_size=10_000):
        found.setdefault(clip_id, {})[slug] = SoftLabel(yes / count, count)


def _add_adjudications(found: Labels, slugs: Sequence[str], clips: Clips) -> None:
    settled = Adjudication.objects.filter(tag__slug__in=slugs)
    if clips is not None:
        settled = settled.filter(clip__in=clips)
    for clip_id, slug, answer in settled.values_list("clip_id", "tag__slug", "answer"):
        labels = found.setdefault(clip_id, {})
        before = labels.pop(slug, None)
        if answer != Answer.UNSURE:
            votes = before.votes if before else 0
            labels[slug] = SoftLabel(float(answer == Answer.YES), votes, adjudicated=True)
        if not labels:
            del found[clip_id]
