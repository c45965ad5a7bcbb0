"""What tags mean, in words and example sounds: read by everybody who labels, written by staff."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Max, Q

from analysis.labels.guideline_markup import as_html
from analysis.labels.models import Answer, ClipState, TagExample, TimbreTag, VoiceClip, Vote
from catalog.names import clean_text

MAX_EXAMPLES = 12
MAX_TEXT = 4_000
_SUGGESTED = 6


@dataclass(slots=True)
class Guideline:
    """A tag's guideline: ``html`` is safe; examples that show the tag, and that do not."""

    tag: TimbreTag
    html: str
    yes: list[TagExample] = field(default_factory=list)
    no: list[TagExample] = field(default_factory=list)


def guidelines(tags: Sequence[TimbreTag] | None = None) -> list[Guideline]:
    """Of every tag in use, or of some."""
    shown = list(TimbreTag.objects.filter(retired_at__isnull=True)) if tags is None else list(tags)
    found = {tag.pk: Guideline(tag, as_html(tag.guideline)) for tag in shown}
    for example in TagExample.objects.filter(tag__in=found).select_related("clip"):
        guideline = found[example.tag_id]
        (guideline.yes if example.shows == Answer.YES else guideline.no).append(example)
    return list(found.values())


def save_guideline(tag: TimbreTag, text: str) -> None:
    """Another text. Raises ValidationError for one that is too long."""
    tag.guideline = text.replace("\r\n", "\n").replace("\0", "").strip()
    tag.full_clean()
    tag.save(update_fields=["guideline"])


@transaction.atomic
def add_example(tag: TimbreTag, clip: VoiceClip, *, shows: str, caption: str = "") -> TagExample:
    """A clip that shows what the tag is (``yes``), or is not (``no``). Raises ValidationError."""
    if shows not in (Answer.YES, Answer.NO):
        raise ValidationError("An example shows what the tag is, or what it is not.")
    if clip.state != ClipState.POOL:
        raise ValidationError("This clip is not in the pool.")
    if clip.gold:
        raise ValidationError("This clip checks raters: its answer must not be told.")
    if clip.is_held_out:
        raise ValidationError("This clip compares models: its answer must not be told.")
    TimbreTag.objects.select_for_update().get(pk=tag.pk)
    examples = TagExample.objects.filter(tag=tag)
    if examples.filter(clip=clip).exists():
        raise ValidationError("This clip is an example of this tag already.")
    if examples.count() >= MAX_EXAMPLES:
        raise ValidationError(f"A tag has {MAX_EXAMPLES} examples at most. Take one away first.")
    last = examples.aggregate(last=Max("order"))["last"]
    return TagExample.objects.create(
        tag=tag,
        clip=clip,
        shows=shows,
        caption=clean_text(caption, 200),
        order=0 if last is None else last + 1,
    )


def change_caption(example: TagExample, caption: str) -> None:
    """Another caption."""
    TagExample.objects.filter(pk=example.pk).update(caption=clean_text(caption, 200))


def find_clip(text: str) -> VoiceClip | None:
    """The clip of that name or id; None if there is none."""
    text = text.replace("\0", "").strip()
    try:
        return VoiceClip.objects.filter(pk=uuid.UUID(text)).first()
    except ValueError:
        return VoiceClip.objects.filter(name=text).first()


def suggested(tag: TimbreTag) -> tuple[list[VoiceClip], list[VoiceClip]]:
    """Clips that all raters called so, and that none did: the clearest examples there are."""
    votes = Vote.objects.filter(
        tag=tag,
        ballot__clip__state=ClipState.POOL,
        ballot__clip__is_held_out=False,
        ballot__clip__gold={},
    ).exclude(ballot__clip__in=TagExample.objects.filter(tag=tag).values("clip"))
    counted = (
        votes.order_by()
        .values("ballot__clip_id")
        .annotate(
            yes=Count("pk", filter=Q(answer=Answer.YES)),
            no=Count("pk", filter=Q(answer=Answer.NO)),
            unsure=Count("pk", filter=Q(answer=Answer.UNSURE)),
        )
        .filter(unsure=0)
    )
    found: list[list[VoiceClip]] = []
    for one, other in (("yes", "no"), ("no", "yes")):
        clear = counted.filter(**{other: 0, f"{one}__gte": 1}).order_by(
            f"-{one}", "ballot__clip_id"
        )
        ids = [row["ballot__clip_id"] for row in clear[:_SUGGESTED]]
        clips = VoiceClip.objects.in_bulk(ids)
        found.append([clips[pk] for pk in ids])
    return found[0], found[1]
