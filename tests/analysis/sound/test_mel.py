"""The mel contract, against librosa and against the pictures that the models are trained on."""

import csv
from pathlib import Path

import librosa
import numpy as np
import pytest

from analysis.sound import mel

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def test_filterbank_is_librosas():
    expected = librosa.filters.mel(sr=22_050, n_fft=2_048, n_mels=128)
    np.testing.assert_allclose(mel.mel_filterbank(), expected, atol=1e-7)


def test_centre_frequencies_are_librosas():
    expected = librosa.mel_frequencies(n_mels=130, fmin=0.0, fmax=11_025.0)[1:-1]
    np.testing.assert_allclose(mel.mel_frequencies_hz(), expected, rtol=1e-9)


def test_power_is_librosas_at_the_thinned_hop():
    sound = np.random.default_rng(0).normal(0, 0.1, 5 * 22_050 + 17).astype(np.float32)
    expected = librosa.feature.melspectrogram(
        y=sound, sr=22_050, n_fft=2_048, hop_length=1_709, n_mels=128
    )
    np.testing.assert_allclose(mel.mel_power(sound), expected, rtol=2e-3, atol=1e-7)


def test_picture_spans_its_range_and_ignores_level():
    sound = np.random.default_rng(0).normal(0, 0.1, 60_000).astype(np.float32)
    sound[30_000:] *= 0.001
    picture = mel.log_mel(sound)
    assert (picture.min(), picture.max()) == (0, 255)
    quiet = mel.log_mel(sound * 0.1)
    assert np.abs(quiet.astype(int) - picture).max() <= 1


def test_silence_is_black():
    assert not mel.log_mel(np.zeros(30_000, dtype=np.float32)).any()


@pytest.mark.parametrize("signal", [np.zeros(0, dtype="f4"), np.zeros((2, 100), dtype="f4")])
def test_no_signal_is_refused(signal):
    with pytest.raises(ValueError, match="one-dimensional"):
        mel.mel_power(signal)


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason=f"the research data is not at {DATA}")
def test_pictures_from_sound_look_like_the_published_ones():
    import soundfile

    with (DATA / "gtzan_mel" / "tracks.csv").open() as file:
        splits = {row["id"]: row["split"] for row in csv.DictReader(file)}
    archives = {name: np.load(DATA / "gtzan_mel" / f"{name}.npz") for name in ("train", "valid")}
    correlations = []
    for path in sorted((DATA / "gtzan_audio").glob("*.flac"))[::8]:
        split = splits.get(path.stem)
        if split not in archives:
            continue
        ids = [str(i) for i in archives[split]["ids"]]
        published = archives[split]["mel"][ids.index(path.stem)].astype(float)
        sound, _ = soundfile.read(path, dtype="float32")
        ours = mel.log_mel(sound).astype(float)
        # The sound is an excerpt: where in the picture it lies is found by trying.
        width = min(ours.shape[1], published.shape[1]) - 2
        best = max(
            np.corrcoef(ours[:, :width].ravel(), published[:, at : at + width].ravel())[0, 1]
            for at in range(published.shape[1] - width + 1)
        )
        correlations.append(best)
    assert len(correlations) >= 8
    assert np.mean(correlations) > 0.9
