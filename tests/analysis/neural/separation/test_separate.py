"""From a file to stem files: shapes, sums, memory, cancelling, going on, the command."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from django.core.management import call_command

from analysis.neural.separation.separate import Cancelled, separate
from analysis.sound.decode import UndecodableAudio
from tests.analysis.neural.separation.sounds import RATE, level_db, read_stems, song


def _write(path, sound, rate=RATE, subtype="FLOAT"):
    soundfile.write(path, sound.T, rate, subtype=subtype)
    return path


def test_stems_are_files_that_add_up_to_the_mix(tmp_path, starter):
    mix = song(10.0)
    path = _write(tmp_path / "A: song?.wav", mix)
    shares = []
    made = separate(path, tmp_path / "out", engine=starter, progress=shares.append)

    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        f"A song ({stem}) [starter].flac" for stem in ("bass", "drums", "other", "vocals")
    ]
    stems = read_stems(made.files)
    assert all(stem.shape == mix.shape for stem in stems.values())
    assert level_db(sum(stems.values()) - mix, mix) < -100
    assert soundfile.info(made.files["vocals"]).subtype == "PCM_24"
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1), (22_050, 1)])
def test_other_rates_and_mono(tmp_path, starter, rate, channels):
    sound = song(1.0, rate=rate)[:channels]
    made = separate(_write(tmp_path / "x.wav", sound, rate), tmp_path / "out", engine=starter)
    expected = soxr.resample(sound.T, rate, RATE).T
    total = sum(read_stems(made.files).values())
    assert total.shape == (2, 44_100)
    assert level_db(total - np.broadcast_to(expected, total.shape), expected) < -60


def test_over_full_scale_nothing_is_clipped(tmp_path, starter):
    mix = 4.0 * song(1.0)
    made = separate(_write(tmp_path / "hot.wav", mix), tmp_path / "out", engine=starter)
    assert {path.suffix for path in made.files.values()} == {".wav"}
    total = sum(read_stems(made.files).values())
    assert np.abs(total).max() > 1.0
    assert level_db(total - mix, mix) < -100


def test_a_cancelled_run_goes_on_where_it_stopped(tmp_path, starter):
    path = _write(tmp_path / "x.wav", song(20.0))
    asked = []
    with pytest.raises(Cancelled):
        separate(
            path,
            tmp_path / "out",
            engine=starter,
            cancelled=lambda: asked.append(1) or len(asked) > 2,
        )
    assert not list((tmp_path / "out").glob("*.flac"))
    done = sorted((tmp_path / "out").glob(".separating/*.npy"))
    assert len(done) == 2
    marked = np.load(done[0])
    np.save(done[0], np.zeros_like(marked))  # recognisable afterwards

    made = separate(path, tmp_path / "out", engine=starter)
    stems = read_stems(made.files)
    assert not stems["bass"][:, : starter.segment_samples].any()
    assert stems["bass"][:, starter.segment_samples :].any()


def test_segments_of_another_mix_are_not_taken_over(tmp_path, starter):
    first = _write(tmp_path / "x.wav", song(10.0))
    asked = []
    with pytest.raises(Cancelled):
        separate(
            first, tmp_path / "out", engine=starter, cancelled=lambda: asked.append(1) or asked[1:]
        )
    mix = song(10.0, seed=2)
    made = separate(_write(tmp_path / "x.wav", mix), tmp_path / "out", engine=starter)
    assert level_db(sum(read_stems(made.files).values()) - mix, mix) < -100


def test_blocks_instead_of_a_file(tmp_path, starter):
    mix = song(2.0)
    made = separate(
        iter(np.array_split(mix, 7, axis=1)), tmp_path, engine=starter, sample_rate=RATE, title="b"
    )
    assert made.files["drums"].name == "b (drums) [starter].flac"
    assert level_db(sum(read_stems(made.files).values()) - mix, mix) < -100


def test_memory_does_not_grow_with_the_length(tmp_path):
    # In a process of its own: one that has run other tests has memory of theirs to reuse or give
    # back, and its peak says little about this work. Large blocks go back to the system at once.
    measured = subprocess.run(
        [sys.executable, "-m", "tests.analysis.neural.separation.memory_of_lengths", str(tmp_path)],
        cwd=Path(__file__).parents[4],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "1000000"},
        check=True,
        capture_output=True,
        text=True,
    )
    short_kb, long_kb = (int(line) for line in measured.stdout.split())
    # Five minutes more: 103,000 KB for each stem, or for the mix, that is kept as float32.
    assert long_kb < short_kb + 40_000


def test_what_is_no_sound_is_refused(tmp_path, starter):
    (tmp_path / "x.wav").write_bytes(b"no sound at all" * 100)
    with pytest.raises(UndecodableAudio):
        separate(tmp_path / "x.wav", tmp_path / "out", engine=starter)


def test_the_command_names_engine_progress_and_files(tmp_path):
    path = _write(tmp_path / "Artist - Title.wav", song(2.0))
    out = StringIO()
    call_command(
        "separate", str(path), "--out", str(tmp_path / "o"), "--engine", "starter", stdout=out
    )
    said = out.getvalue()
    assert "Engine     starter" in said
    assert "100 %" in said
    assert str(tmp_path / "o" / "Artist - Title (vocals) [starter].flac") in said


def test_the_command_refuses_in_one_line(tmp_path, capsys):
    (tmp_path / "x.wav").write_text("nothing")
    err = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("separate", str(tmp_path / "x.wav"), "--out", str(tmp_path), stderr=err)
    assert stopped.value.code == 2
    assert len(err.getvalue().strip().splitlines()) == 1
