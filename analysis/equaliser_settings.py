"""The equaliser of a stored report as a listener set it, and how it will be rendered."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings as site
from django.core.cache import cache
from django.http import QueryDict

from analysis.equaliser_presets import EqualiserSettings
from analysis.equaliser_render import RenderPlan, plan_render
from analysis.mixing.loudness_match import loudness_match_db
from analysis.mixing.moves import AdvisedMove, audible, filters, moves_of, with_settings
from analysis.presentation import target_name
from analysis.services import local_copy
from catalog.models import Revision

_PLAN_KEPT_S = 24 * 3_600
_MOST_SWITCHES = 50


@dataclass(frozen=True)
class Wish:
    """What the address of an export asks for: an amount of 0 to 1, and the moves left out."""

    amount: float = 1.0
    off: frozenset[str] = frozenset()


def wish_of(query: QueryDict) -> Wish:
    """``?amount=`` in per cent (100 if it is missing or no number), ``?off=`` with commas between.

    A name that no move has is left alone: the mix may be judged against another target now.
    """
    try:
        percent = float(query.get("amount", "100"))
    except ValueError:
        percent = 100.0
    if not math.isfinite(percent):
        percent = 100.0
    names = [name for part in query.getlist("off")[:_MOST_SWITCHES] for name in part.split(",")]
    return Wish(min(max(percent, 0.0), 100.0) / 100.0, frozenset(names[:_MOST_SWITCHES]))


def moves_as_wished(document: Mapping[str, Any], wish: Wish) -> list[AdvisedMove]:
    """The moves of a report's document, scaled and switched."""
    return with_settings(moves_of(document["mix"]), amount=wish.amount, off=wish.off)


def match_db(document: Mapping[str, Any], moves: Sequence[AdvisedMove]) -> float:
    """Gain that keeps the loudness of a report's sound under *moves*, in dB."""
    if not audible(moves):
        return 0.0
    rate = int(document["file"]["sample_rate"])
    return loudness_match_db(document["spectrum"], filters(moves), sample_rate=rate)


def equaliser_settings(
    document: Mapping[str, Any], revision: Revision, wish: Wish
) -> EqualiserSettings:
    """Everything that an export says."""
    moves = moves_as_wished(document, wish)
    return EqualiserSettings(
        artist=revision.artist.name,
        title=str(revision.track),
        revision=revision.number,
        target=target_name(document["mix"]["genre"]),
        amount=wish.amount,
        sample_rate=int(document["file"]["sample_rate"]),
        output_gain_db=round(match_db(document, moves), 2) + 0.0,
        moves=moves,
    )


def render_plan(revision: Revision, equaliser: EqualiserSettings) -> RenderPlan | None:
    """The plan of this render, if it has been measured lately."""
    known = cache.get(_plan_key(revision, equaliser))
    return None if known is None else RenderPlan(**known)


def measure_render(revision: Revision, equaliser: EqualiserSettings) -> RenderPlan:
    """Measure what a render will need, and remember it; a second or so per three minutes of song.

    Raises
    ------
    analysis.sound.decode.UndecodableAudio, FileNotFoundError
        If the file cannot be used, or is gone.
    """
    with local_copy(revision) as path:
        plan = plan_render(
            path,
            filters(equaliser.moves),
            match_db=equaliser.output_gain_db,
            max_duration_s=float(site.UPLOAD_MAX_SECONDS),
        )
    cache.set(_plan_key(revision, equaliser), asdict(plan), _PLAN_KEPT_S)
    return plan


def _plan_key(revision: Revision, equaliser: EqualiserSettings) -> str:
    parts = [revision.content_sha256, equaliser.output_gain_db]
    parts += [(move.type, move.freq_hz, move.q, move.gain_db) for move in audible(equaliser.moves)]
    return "analysis.render." + hashlib.sha256(json.dumps(parts).encode()).hexdigest()
