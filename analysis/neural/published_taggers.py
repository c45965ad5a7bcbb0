"""Taggers as their authors published them: musicnn's checkpoint folders, YAMNet's saved model."""

from __future__ import annotations

from pathlib import Path

from analysis.neural.taggers import Tagger, filled_tagger_of
from analysis.neural.tensorflow_checkpoint import DATA, INDEX, read_tensorflow_checkpoint
from analysis.neural.yamnet import filled_yamnet, is_yamnet

# Of a saved model the files in its folder "variables" have a name before their suffix.
_STEMS = ("", "variables", "variables/variables")


def load_tagger(folder: Path) -> Tagger:
    """A tagger from a published checkpoint folder (``MSD_musicnn``, ``MTT_vgg``, ...) or the folder
    of a saved YAMNet.

    Raises FileNotFoundError, KeyError or ValueError if it is no such folder.
    """
    for stem in _STEMS:
        if (folder / f"{stem}{INDEX}").is_file():
            files = [(folder / f"{stem}{suffix}").read_bytes() for suffix in (INDEX, DATA)]
            saved = read_tensorflow_checkpoint(files[0], files[1])
            return filled_yamnet(saved) if is_yamnet(saved) else filled_tagger_of(saved)
    raise FileNotFoundError(f"no checkpoint in {folder}")
