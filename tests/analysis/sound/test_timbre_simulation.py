"""A voice pushed toward tags: what changes, and what must not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from analysis.sound.equaliser import Move, response_db
from analysis.sound.timbre_simulation import TAGS, Recipe, recipe_for, simulate
from analysis.sound.timbre_simulation.air import breath, flutter
from analysis.sound.timbre_simulation.cleaning import clean
from analysis.sound.timbre_simulation.levels import level_of
from analysis.sound.timbre_simulation.saturation import saturate

RATE = 44_100


def sung(seconds: float = 3.0, *, f0_hz: float = 220.0, level: float = 0.1) -> np.ndarray:
    """A sung vowel with vibrato, a little noise, and a rest in the middle; shape (2, n)."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(f0_hz * (1 + 0.01 * np.sin(2 * np.pi * 5.5 * time_s))) / RATE
    wave = sum(np.sin(k * phase) / k**1.2 for k in range(1, 40))
    wave += 0.05 * np.random.default_rng(1).standard_normal(time_s.size)
    wave *= np.where(np.abs(time_s - seconds / 2) < 0.2, 0.001, 1.0)
    return np.stack([wave, 0.9 * wave]).astype(np.float32) * np.float32(level)


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    return sung()


def band_db(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Power between two frequencies in dB, by Welch's method."""
    hz, power = scipy.signal.welch(samples[0].astype(float), RATE, nperseg=8192)
    return 10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].sum())


def spectrum_db(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and levels under the highest of all, by a window with side lobes below -90 dB."""
    window = scipy.signal.windows.blackmanharris(wave.size)
    level = 20 * np.log10(np.abs(np.fft.rfft(wave * window)) + 1e-12)
    return np.fft.rfftfreq(wave.size, 1 / RATE), level - level.max()


@pytest.mark.parametrize("amounts", [*({tag: 1.0} for tag in TAGS), dict.fromkeys(TAGS, 0.6)])
def test_as_loud_as_before_and_under_the_ceiling(voice, amounts):
    done = simulate(voice, RATE, recipe_for(amounts))
    assert done.samples.shape == voice.shape
    assert level_of(done.samples, RATE).integrated_lufs == pytest.approx(
        level_of(voice, RATE).integrated_lufs, abs=0.1
    )
    assert not np.allclose(done.samples, voice, atol=1e-3)
    # Peaks by another oversampler than the one that judged them.
    upsampled = scipy.signal.resample_poly(done.samples, 8, 1, axis=1)
    assert np.abs(upsampled).max() <= 10 ** (-0.95 / 20)


@pytest.mark.parametrize("peak", [0.7, 0.999])
def test_a_hot_voice_stays_as_loud_and_peaks_no_higher(voice, peak):
    time_s = np.arange(voice.shape[1]) / RATE
    phrase = voice * (0.15 + 0.85 * np.sin(np.pi * time_s / 1.5) ** 16).astype(np.float32)
    hot = phrase * np.float32(peak / np.abs(phrase).max())
    done = simulate(hot, RATE, recipe_for({"bright": 1.0, "breathy": 1.0}))
    assert done.limited_db > 0.5
    ceiling = max(10 ** (-1 / 20), np.abs(scipy.signal.resample_poly(hot, 8, 1, axis=1)).max())
    # EBU Tech 3341 grants a meter of true peaks 0.2 dB.
    allowed = ceiling * 10 ** (0.2 / 20)
    assert np.abs(scipy.signal.resample_poly(done.samples, 8, 1, axis=1)).max() <= allowed
    assert level_of(done.samples, RATE).integrated_lufs == pytest.approx(
        level_of(hot, RATE).integrated_lufs, abs=0.1
    )


@pytest.mark.parametrize(
    ("tag", "up", "down"),
    [
        ("warm", (150, 500), (5_000, 16_000)),
        ("bright", (4_000, 16_000), (150, 500)),
        ("breathy", (3_000, 10_000), (150, 500)),
    ],
)
def test_what_is_pushed_where(voice, tag, up, down):
    done = simulate(voice, RATE, recipe_for({tag: 1.0})).samples
    halfway = simulate(voice, RATE, recipe_for({tag: 0.5})).samples
    before, half, full = (
        band_db(samples, *up) - band_db(samples, *down) for samples in (voice, halfway, done)
    )
    assert before + 1.0 < half < full - 1.0


def test_rough_adds_modulation_from_50_to_200_hz(voice):
    def modulation(samples):
        envelope = np.abs(scipy.signal.hilbert(samples[0, RATE // 4 : RATE].astype(float)))
        hz, power = scipy.signal.welch(envelope / envelope.mean(), RATE, nperseg=16_384)
        return power[(hz >= 50) & (hz <= 120)].sum()

    done = simulate(voice, RATE, recipe_for({"rough": 1.0})).samples
    assert modulation(done) > 10 * modulation(voice)


def test_clean_takes_noise_between_partials_and_spares_noise_alone(voice):
    steady = sung(2.0)[:, : 4 * RATE // 5]
    pure = steady.copy()
    noise = (0.004 * np.random.default_rng(3).standard_normal(steady.shape)).astype(np.float32)

    def valleys_db(samples):
        hz, level = spectrum_db(samples[0, RATE // 8 :].astype(float))
        between = (np.abs((hz / 220.0) % 1.0 - 0.5) < 0.15) & (hz > 300) & (hz < 2_000)
        return 10 * np.log10(np.mean(10 ** (level[between] / 10)))

    noisy = pure + noise
    assert valleys_db(clean(noisy, RATE, most_db=15.0)) < valleys_db(noisy) - 5.0
    alone = clean(noise, RATE, most_db=15.0)
    assert abs(band_db(alone, 300, 8_000) - band_db(noise, 300, 8_000)) < 1.0


def test_no_aliases_of_a_5_khz_sine():
    """With the strongest settings there are, everything that is no harmonic lies 60 dB under."""
    time_s = np.arange(2 * RATE) / RATE
    for level in (0.05, 0.9):
        sine = (level * np.sin(2 * np.pi * 5_000 * time_s)).astype(np.float32)[None]
        recipe = recipe_for({"warm": 1.0, "rough": 1.0})
        driven = Recipe(drive_db=recipe.drive_db, bias=recipe.bias)
        done = simulate(sine, RATE, driven).samples[0, RATE // 2 : 3 * RATE // 2]
        hz, under_db = spectrum_db(done.astype(float))
        harmonic = np.zeros(hz.size, dtype=bool)
        for k in range(0, 5):
            harmonic |= np.abs(hz - 5_000 * k) < 40
        assert under_db[np.abs(hz - 15_000) < 40].max() > -40, "it is not driven at all"
        assert under_db[~harmonic].max() < -60


def test_naive_clipping_would_alias():
    """The measurement above can fail: the same shape without oversampling is 30 dB worse."""
    sine = np.sin(2 * np.pi * 5_000 * np.arange(RATE) / RATE)
    hz, under_db = spectrum_db(np.tanh(4.0 * sine))
    harmonic = np.any([np.abs(hz - 5_000 * k) < 40 for k in range(5)], axis=0)
    assert under_db[~harmonic].max() > -60


def test_dry_and_wet_lie_sample_on_sample(voice):
    # What the clipper adds to a small wave is next to nothing only if nothing is delayed.
    small = voice * np.float32(0.01)
    assert np.abs(saturate(small, RATE, drive=0.5) - small).max() < 1e-4 * np.abs(small).max()
    for stage in (
        lambda x: saturate(x, RATE, drive=4.0, bias=0.2),
        lambda x: clean(x, RATE, most_db=12.0),
    ):
        lags = scipy.signal.correlation_lags(voice.shape[1], voice.shape[1])
        match = scipy.signal.correlate(stage(voice)[0].astype(float), voice[0].astype(float))
        assert lags[np.argmax(match)] == 0
    assert np.abs(clean(voice, RATE, most_db=1e-6) - voice).max() < 1e-5


def test_wet_is_a_share(voice):
    recipe = Recipe(moves=(Move("high_shelf", 3_000.0, 6.0),))
    assert np.array_equal(simulate(voice, RATE, recipe, wet=0.0).samples, voice)
    full = simulate(voice, RATE, recipe)
    half = simulate(voice, RATE, recipe, wet=0.5)
    # Undo the level matching: what remains is the mean of dry and wet.
    raw_full = full.samples / 10 ** (full.gain_db / 20)
    raw_half = half.samples / 10 ** (half.gain_db / 20)
    assert np.abs(raw_half - (raw_full + voice) / 2).max() < 1e-5


def test_the_same_every_time(voice):
    recipe = recipe_for(dict.fromkeys(TAGS, 0.8))
    assert np.array_equal(
        simulate(voice, RATE, recipe).samples, simulate(voice, RATE, recipe).samples
    )


def test_nothing_asked_for_changes_nothing_and_little_changes_little(voice):
    assert recipe_for({}).is_nothing
    assert np.array_equal(simulate(voice, RATE, recipe_for({"rough": 0.0})).samples, voice)
    little = simulate(voice, RATE, recipe_for(dict.fromkeys(TAGS, 0.01))).samples
    assert np.sqrt(np.mean((little - voice) ** 2) / np.mean(voice**2)) < 0.02


def test_breath_follows_the_voice_at_the_asked_level(voice):
    air = breath(voice, RATE, level_db=-20.0)
    assert 10 * np.log10(np.mean(air**2) / np.mean(voice**2)) == pytest.approx(-20.0, abs=0.01)
    rest = slice(round(1.42 * RATE), round(1.58 * RATE))
    loud = slice(round(0.3 * RATE), round(1.0 * RATE))
    assert np.mean(air[:, rest] ** 2) < 1e-3 * np.mean(air[:, loud] ** 2)


def test_flutter_is_one_on_the_mean():
    gain = flutter(RATE, RATE, depth=0.2)
    assert gain.mean() == pytest.approx(1.0, abs=0.01)
    assert gain.std() == pytest.approx(0.2, rel=0.05)
    assert gain.min() > 0.0


def test_silence_and_very_short_sounds_pass():
    for n in (0, 1, 100, RATE):
        silence = np.zeros((1, n), dtype=np.float32)
        done = simulate(silence, RATE, recipe_for(dict.fromkeys(TAGS, 1.0)))
        assert np.array_equal(done.samples, silence)


@pytest.mark.parametrize("amounts", [{"warm": 1.1}, {"warm": -0.1}, {"husky": 0.5}])
def test_amounts_that_are_none(amounts):
    with pytest.raises(ValueError):
        recipe_for(amounts)


def test_shapes_and_shares_that_are_none(voice):
    with pytest.raises(ValueError):
        simulate(np.zeros((3, 100), dtype=np.float32), RATE, recipe_for({"warm": 1.0}))
    with pytest.raises(ValueError):
        simulate(voice, RATE, recipe_for({"warm": 1.0}), wet=1.5)


def test_the_filters_are_torchaudios():
    """Shelves and bells against the second implementation that the product has on board."""
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchaudio.functional")
    impulse = torch.zeros(1, RATE)
    impulse[0, 0] = 0.5
    hz = np.array([60.0, 250.0, 1_000.0, 3_000.0, 8_000.0, 15_000.0])
    for move in recipe_for(dict.fromkeys(TAGS, 1.0)).moves:
        if move.type == "bell":
            out = functional.equalizer_biquad(impulse, RATE, move.freq_hz, move.gain_db, move.q)
        else:
            out = functional.treble_biquad(impulse, RATE, move.gain_db, move.freq_hz, move.q)
        response = np.abs(np.fft.rfft(out[0].numpy().astype(float) / 0.5))
        theirs = 20 * np.log10(response[np.round(hz).astype(int)])
        assert response_db([move], hz, RATE) == pytest.approx(theirs, abs=0.02)
