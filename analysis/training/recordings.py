"""The music at hand for retrieval: the corpus, the demo discography, and folders of other music."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from analysis.training.held_out import Judge, together
from analysis.training.retrieval import Recording
from analysis.training.sound_files import music_files

# Shorter files are jingles and sound effects.
LEAST_SECONDS = 40.0


def sound_of(folder: Path) -> dict[str, Path]:
    """FLAC files of a folder by track id (their names); empty if there is no such folder."""
    return {path.stem: path for path in sorted(folder.glob("*.flac"))}


def recordings(
    judge: Judge,
    splits: Mapping,
    *,
    audio: Path,
    other: Mapping[str, Path],
    clips: Path | None = None,
    beside: Mapping[str, Path] | None = None,
) -> list[Recording]:
    """One entry for each recording: sound where there is sound, else the corpus's picture.

    ``audio`` is the folder of the corpus's sound files, ``clips`` that of short ones, which are
    only there to be mistaken for others; ``other`` names folders of other music, ``beside`` such as
    nothing is looked for from.
    Tracks that the judge was trained on are a source of their own.
    """
    corpus = together(splits)
    sound = sound_of(audio)
    artist_of = dict(zip(corpus.ids, corpus.artists, strict=True))

    def source(track: str) -> str:
        if judge.may_judge(track, artist_of.get(track, track)):
            return "GTZAN, not trained on"
        return "GTZAN, trained on"

    found = [Recording(track, source(track), path=path) for track, path in sound.items()]
    found += [
        Recording(track, "GTZAN pictures", picture=picture)
        for track, picture in zip(corpus.ids, corpus.mel, strict=True)
        if track not in sound
    ]
    if clips is not None:
        found += [
            Recording(track, "GTZAN clips", path=path, is_query=False)
            for track, path in sound_of(clips).items()
            if track not in sound
        ]
    found += [Recording(path.stem, "demo", path=path) for path in demo_files()]
    for folders, is_query in ((other, True), (beside or {}, False)):
        for name, folder in folders.items():
            found += [
                Recording(str(path.relative_to(folder)), name, path=path, is_query=is_query)
                for path in music_files([folder], least_seconds=LEAST_SECONDS)
            ]
    return found


def demo_files() -> list[Path]:
    """The demo discography's sound files; none where its package is not installed."""
    spec = importlib.util.find_spec("immich_memories_music")
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.rglob("*.opus"))
