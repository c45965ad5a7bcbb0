"""Each rater beside the others: agreement, bias, gold clips, pace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection
from django.db.models import Aggregate, Count, FloatField, Max, Q

from analysis.labels.agreement import cohens_kappa
from analysis.labels.models import Adjudication, Answer, Ballot, TimbreTag, Vote
from catalog.models import User


@dataclass(slots=True)
class Against:
    """A rater's yes and no against what the others say of the same clips without her: their
    majority, or what staff have settled. Where the others are split evenly, nothing is compared."""

    both_yes: int = 0
    only_rater: int = 0
    only_others: int = 0
    both_no: int = 0

    def add(self, rater_yes: bool, others_yes: bool, count: int) -> None:
        """Count answers of one kind."""
        if rater_yes:
            self.both_yes += count if others_yes else 0
            self.only_rater += 0 if others_yes else count
        else:
            self.only_others += count if others_yes else 0
            self.both_no += 0 if others_yes else count

    @property
    def compared(self) -> int:
        """Answers that were compared."""
        return self.both_yes + self.only_rater + self.only_others + self.both_no

    @property
    def share(self) -> float | None:
        """Share of answers that are the others' too."""
        return (self.both_yes + self.both_no) / self.compared if self.compared else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: agreement beyond chance."""
        return cohens_kappa(self.both_yes, self.only_rater, self.only_others, self.both_no)

    @property
    def lean(self) -> float | None:
        """How much more often than the others she says yes, of the same clips: -1 to 1."""
        return (self.only_rater - self.only_others) / self.compared if self.compared else None


@dataclass(slots=True)
class OfTag:
    """A rater's answers about one tag."""

    tag: TimbreTag
    yes: int = 0
    no: int = 0
    unsure: int = 0
    against: Against = field(default_factory=Against)

    @property
    def yes_share(self) -> float | None:
        """Yes among her yes and no."""
        return self.yes / (self.yes + self.no) if self.yes + self.no else None


@dataclass(slots=True)
class Rater:
    """A rater's figures. ``seconds``: median from hearing a clip to answering. ``gold_right`` of
    ``gold`` answers about clips with known answers are right ("can't tell" is not counted)."""

    user: User
    ballots: int = 0
    skipped: int = 0
    seconds: float | None = None
    last_at: datetime | None = None
    gold: int = 0
    gold_right: int = 0
    tags: list[OfTag] = field(default_factory=list)

    @property
    def gold_share(self) -> float | None:
        """Share of gold answers that are right."""
        return self.gold_right / self.gold if self.gold else None

    @property
    def clips_an_hour(self) -> float | None:
        """At her median pace, without breaks."""
        return 3_600.0 / self.seconds if self.seconds else None

    @property
    def unsure_share(self) -> float | None:
        """ "Can't tell" among all her answers."""
        unsure = sum(tag.unsure for tag in self.tags)
        every = unsure + sum(tag.yes + tag.no for tag in self.tags)
        return unsure / every if every else None

    @property
    def compared(self) -> int:
        """Answers that were compared with the others'."""
        return sum(tag.against.compared for tag in self.tags)

    @property
    def share(self) -> float | None:
        """Share of answers, of all tags, that are the others' too."""
        same = sum(tag.against.both_yes + tag.against.both_no for tag in self.tags)
        return same / self.compared if self.compared else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa over all tags, chance being each tag's own."""
        beyond = within = 0.0
        for against in (tag.against for tag in self.tags if tag.against.compared):
            count = against.compared
            a = (against.both_yes + against.only_rater) / count
            b = (against.both_yes + against.only_others) / count
            chance = count * (a * b + (1.0 - a) * (1.0 - b))
            beyond += against.both_yes + against.both_no - chance
            within += count - chance
        return beyond / within if within else None


class _Median(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def raters(only: User | None = None) -> list[Rater]:
    """All who have answered anything, the busiest first; or one person, also without answers."""
    ballots = Ballot.objects.filter(rater__isnull=False)
    if only is not None:
        ballots = ballots.filter(rater=only)
    counted = (
        ballots.order_by()
        .values("rater_id")
        .annotate(
            answered=Count("pk", filter=Q(skipped=False)),
            passed=Count("pk", filter=Q(skipped=True)),
            median=_Median("seconds", filter=Q(skipped=False, seconds__isnull=False)),
            last_at=Max("updated_at"),
        )
    )
    figures = {row["rater_id"]: row for row in counted}
    users = [only] if only is not None else list(User.objects.filter(pk__in=figures))
    found = {user.pk: Rater(user) for user in users}
    for pk, row in figures.items():
        rater = found[pk]
        rater.ballots, rater.skipped = row["answered"], row["passed"]
        rater.seconds, rater.last_at = row["median"], row["last_at"]
    _add_tags(found)
    _add_gold(found)
    return sorted(found.values(), key=lambda rater: (-rater.ballots, rater.user.email))


def _add_tags(found: dict[int, Rater]) -> None:
    rows: dict[int, dict[int, OfTag]] = defaultdict(dict)
    tags = {tag.pk: tag for tag in TimbreTag.objects.all()}
    counted = (
        Vote.objects.filter(ballot__rater__in=found)
        .order_by()
        .values_list("ballot__rater_id", "tag_id")
        .annotate(**{answer: Count("pk", filter=Q(answer=answer)) for answer in Answer.values})
    )
    for rater, tag, yes, no, unsure in counted:
        rows[rater][tag] = OfTag(tags[tag], yes, no, unsure)
    for rater, tag, own, others, count in _against(found):
        rows[rater][tag].against.add(own, others, count)
    for pk, rater in found.items():
        rater.tags = [rows[pk][tag] for tag in tags if tag in rows[pk]]


# What the others say of (clip, tag) without this vote; split evenly: NULL, and left out.
_AGAINST = """
WITH votes AS (
  SELECT v.tag_id, b.clip_id, b.rater_id, v.answer = 'yes' AS yes
  FROM {vote} v JOIN {ballot} b ON b.id = v.ballot_id
  WHERE v.answer IN ('yes', 'no')
), beside AS (
  SELECT votes.*, count(*) OVER same - 1 AS others,
         sum(yes::int) OVER same - yes::int AS others_yes
  FROM votes WINDOW same AS (PARTITION BY clip_id, tag_id)
), referred AS (
  SELECT beside.rater_id, beside.tag_id, beside.yes,
         CASE WHEN a.answer = 'unsure' THEN NULL
              WHEN a.answer IS NOT NULL THEN a.answer = 'yes'
              WHEN 2 * others_yes > others THEN TRUE
              WHEN 2 * others_yes < others THEN FALSE END AS reference
  FROM beside
  LEFT JOIN {adjudication} a ON a.clip_id = beside.clip_id AND a.tag_id = beside.tag_id
  WHERE beside.rater_id = ANY(%s)
)
SELECT rater_id, tag_id, yes, reference, count(*) FROM referred
WHERE reference IS NOT NULL GROUP BY 1, 2, 3, 4
"""


def _against(rater_ids: Iterable[int]) -> list[tuple[int, int, bool, bool, int]]:
    """Rows of rater, tag, her answer, the others' answer, count."""
    query = _AGAINST.format(
        vote=Vote._meta.db_table,
        ballot=Ballot._meta.db_table,
        adjudication=Adjudication._meta.db_table,
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [list(rater_ids)])
        return cursor.fetchall()


def _add_gold(found: dict[int, Rater]) -> None:
    answers = (
        Vote.objects.filter(ballot__rater__in=found, answer__in=(Answer.YES, Answer.NO))
        .exclude(ballot__clip__gold={})
        .values_list("ballot__rater_id", "tag__slug", "answer", "ballot__clip__gold")
    )
    for rater, slug, answer, gold in answers:
        if slug in gold:
            found[rater].gold += 1
            found[rater].gold_right += gold[slug] == answer
