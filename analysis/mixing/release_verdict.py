"""Run all checks of a release."""

from __future__ import annotations

from analysis.mixing import release_details, release_sound
from analysis.mixing.release import GROUPS, RELEASE_CHECKS, ReleaseFacts, ReleaseVerdict

CHECK_MODULES = (release_sound, release_details)
"""Modules whose import registers their checks."""


def check_release(facts: ReleaseFacts) -> ReleaseVerdict:
    """The list of a release, group by group, in the order in which the checks are written."""
    groups = list(GROUPS)
    in_order = sorted(RELEASE_CHECKS, key=lambda check: groups.index(check.group))
    return ReleaseVerdict([item for check in in_order for item in check.items(facts)])
