"""The mix engineer: measurements and measured targets in, findings out."""

from analysis.mixing.findings import Advice, BandVerdict, Finding, Where
from analysis.mixing.judge import MixReport, judge, rejudge
from analysis.mixing.targets import ANY_GENRE, Targets, load_targets

__all__ = [
    "ANY_GENRE",
    "Advice",
    "BandVerdict",
    "Finding",
    "MixReport",
    "Targets",
    "Where",
    "judge",
    "load_targets",
    "rejudge",
]
