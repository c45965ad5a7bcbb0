"""The tags that people label by: added, renamed, ordered, retired, brought back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone
from django.utils.text import slugify

from analysis.labels.keys import RESERVED_KEYS, TAG_KEYS, is_free_for_tags
from analysis.labels.models import TimbreTag
from analysis.labels.table_columns import RESERVED, header_key
from analysis.registry.models import ModelName, ModelVersion
from catalog.names import clean_text

MAX_TAGS = 24
# Row of "timbre" in the folder of what ships; its manifest names the tags that it knows.
_SHIPPED = Path(__file__).resolve().parent.parent / "weights" / "timbre.json"


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag as the page shows it. ``known``: the serving model answers for it."""

    tag: TimbreTag
    votes: int
    examples: int
    known: bool


@dataclass(frozen=True, slots=True)
class Speaking:
    """The timbre model that serves: its version, and the tags it answers for."""

    version: str
    tags: tuple[str, ...]


def serving_tags() -> Speaking:
    """Which tags the serving timbre model knows; the shipped one where none is registered yet."""
    serving = (
        ModelVersion.objects.filter(model=ModelName.TIMBRE, is_serving=True)
        .values_list("version", "manifest")
        .first()
    )
    version, manifest = serving or _shipped()
    return Speaking(version, tuple(manifest.get("settings", {}).get("tags", ())))


@lru_cache(maxsize=1)
def _shipped() -> tuple[str, dict[str, dict[str, list[str]]]]:
    manifest = json.loads(_SHIPPED.read_text("utf-8"))
    return manifest["version"], manifest


def rows() -> tuple[list[TagRow], list[TagRow], Speaking]:
    """Tags in use, retired tags, and what the serving model knows."""
    speaking = serving_tags()
    counted = TimbreTag.objects.annotate(
        vote_count=Count("votes", distinct=True), example_count=Count("examples", distinct=True)
    ).order_by("order", "slug")
    found = [
        TagRow(tag, tag.vote_count, tag.example_count, tag.slug in speaking.tags) for tag in counted
    ]
    return (
        [row for row in found if row.tag.retired_at is None],
        [row for row in found if row.tag.retired_at is not None],
        speaking,
    )


def free_keys(besides: TimbreTag | None = None) -> list[str]:
    """Keys that a tag may have now."""
    taken = TimbreTag.objects.filter(retired_at__isnull=True)
    if besides is not None:
        taken = taken.exclude(pk=besides.pk)
    used = {key.lower() for key in taken.values_list("key", flat=True)}
    return [key for key in TAG_KEYS if key not in used and key not in RESERVED_KEYS]


def suggested_key(name: str) -> str:
    """The first letter of a name that is free, else any free key, else none."""
    free = free_keys()
    return next((letter for letter in name.lower() if letter in free), free[0] if free else "")


@transaction.atomic
def add_tag(*, name: str, slug: str = "", key: str = "", guideline: str = "") -> TimbreTag:
    """A new tag, after the others. Without a key it gets a free one, if there is one.

    Raises ValidationError.
    """
    name = clean_text(name, 40)
    live = TimbreTag.objects.select_for_update().filter(retired_at__isnull=True)
    if len(live) >= MAX_TAGS:
        raise ValidationError(f"There are {MAX_TAGS} tags in use already. Retire one first.")
    last = TimbreTag.objects.aggregate(last=Max("order"))["last"]
    tag = TimbreTag(
        name=name,
        slug=slug or slugify(name)[:40] or _next_slug(),
        key=_checked_key(key or suggested_key(name)),
        guideline=guideline,
        order=0 if last is None else last + 1,
    )
    _check_names(tag)
    tag.full_clean()
    tag.save()
    return tag


@transaction.atomic
def change_tag(tag: TimbreTag, *, name: str, key: str) -> None:
    """Another name, another key (or none). The slug, by which models and files know the tag, never
    changes. Raises ValidationError."""
    tag.name = clean_text(name, 40)
    tag.key = _checked_key(key)
    _check_names(tag)
    tag.full_clean()
    tag.save(update_fields=["name", "key"])


@transaction.atomic
def move_tag(tag: TimbreTag, *, up: bool) -> None:
    """One place up or down among the tags in use."""
    live = list(TimbreTag.objects.select_for_update().filter(retired_at__isnull=True))
    at = next((place for place, other in enumerate(live) if other.pk == tag.pk), None)
    other = None if at is None else at - 1 if up else at + 1
    if at is None or other is None or not 0 <= other < len(live):
        return
    live[at], live[other] = live[other], live[at]
    for place, moved in enumerate(live):
        TimbreTag.objects.filter(pk=moved.pk).update(order=place)


def retire_tag(tag: TimbreTag) -> None:
    """No longer asked about, shown or trained; votes, examples and the guideline stay."""
    TimbreTag.objects.filter(pk=tag.pk, retired_at__isnull=True).update(retired_at=timezone.now())


@transaction.atomic
def bring_back(tag: TimbreTag) -> None:
    """Asked about again, with its votes; if another tag has its key now, it gets a free one.
    Raises ValidationError where there are too many tags or another one has its name now."""
    live = TimbreTag.objects.select_for_update().filter(retired_at__isnull=True)
    if len(live) >= MAX_TAGS:
        raise ValidationError(f"There are {MAX_TAGS} tags in use already. Retire one first.")
    if tag.key and tag.key.lower() not in free_keys(tag):
        tag.key = suggested_key(tag.name)
    tag.retired_at = None
    _check_names(tag)
    tag.full_clean()
    tag.save(update_fields=["key", "retired_at"])


def _checked_key(key: str) -> str:
    key = key.strip().lower()
    if key and key in RESERVED_KEYS:
        raise ValidationError({"key": f"The labelling page needs this key: {RESERVED_KEYS[key]}."})
    if key and not is_free_for_tags(key):
        raise ValidationError({"key": "A key is one letter, a to z."})
    return key


def _check_names(tag: TimbreTag) -> None:
    """Names tell tags apart in tables, so none may mean another tag, or another column."""
    for said, where in ((tag.name, "name"), (tag.slug, "slug")):
        if header_key(said) in RESERVED:
            raise ValidationError({where: "Tables need this word for another column."})
    wanted = {header_key(tag.name), header_key(tag.slug)}
    for other in TimbreTag.objects.exclude(pk=tag.pk):
        if wanted & {header_key(other.name), header_key(other.slug)}:
            state = "A retired tag" if other.retired_at else "Another tag"
            raise ValidationError({"name": f"{state} is called so: “{other.name}”."})


def _next_slug() -> str:
    """For names without Latin letters: models and files name a tag in ASCII."""
    number = TimbreTag.objects.count() + 1
    while TimbreTag.objects.filter(slug=f"tag-{number}").exists():
        number += 1
    return f"tag-{number}"
