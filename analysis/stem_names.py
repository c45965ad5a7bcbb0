"""Stems and engines for people. Cheap to import: pages use it too."""

from __future__ import annotations

from collections.abc import Iterable

# The order of a mixer's lanes: the voice first.
STEM_LABELS = {
    "vocals": "Vocals",
    "drums": "Drums",
    "bass": "Bass",
    "guitar": "Guitar",
    "piano": "Piano",
    "other": "Other",
}

_ENGINE_LABELS = {
    "htdemucs_ft": "Demucs, fine-tuned",
    "htdemucs": "Demucs",
    "htdemucs_6s": "Demucs, six stems",
    "starter": "Starter",
}

_ENGINE_NOTES = {
    "htdemucs_ft": "Four networks, one for each stem: the cleanest stems, and the slowest engine.",
    "htdemucs": "One network for all four stems: nearly as clean, four times as fast.",
    "htdemucs_6s": "Guitar and piano as stems of their own; the piano is often unclean.",
    "starter": "Simple and fast. It comes with this site. Expect bleed between the stems: backing "
    "voices and instruments that sing leak into the vocals, plucked attacks into the drums.",
}


def stem_label(name: str) -> str:
    """A stem's name for people."""
    return STEM_LABELS.get(name, name.capitalize())


def engine_label(name: str) -> str:
    """An engine's name for people."""
    return _ENGINE_LABELS.get(name, name)


def engine_note(name: str) -> str:
    """What to expect of an engine, for people."""
    return _ENGINE_NOTES.get(name, "")


def in_order(names: Iterable[str]) -> list[str]:
    """Stems in the order in which they are shown."""
    known = list(STEM_LABELS)
    return sorted(names, key=lambda name: (known.index(name) if name in known else 99, name))
