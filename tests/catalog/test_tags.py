"""Tags that would keep the server busy: millions of parts, none of which says anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.tags import Tags, read_tags
from tests.hostile import mp3_of_tiny_frames, wav_of_empty_chunks


@pytest.mark.timeout(60)  # step by step they take many minutes
@pytest.mark.parametrize("make", [mp3_of_tiny_frames, wav_of_empty_chunks])
def test_tags_of_a_million_parts_are_not_read(tmp_path: Path, make):
    path = tmp_path / "x"
    path.write_bytes(make(1_000_000))
    assert read_tags(path) == Tags()
