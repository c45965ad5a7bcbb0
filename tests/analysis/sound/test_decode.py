"""Every accepted format decodes to the sound that went in."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sound.decode import probe, stream
from tests.analysis.sound.signals import encode, noise, sine, write
from tests.process_io import bytes_read

PCM = [
    ("WAV", "PCM_16", 16, 2**-15),
    ("WAV", "PCM_24", 24, 2**-22),
    ("WAV", "PCM_32", 32, 2**-23),
    ("WAV", "PCM_U8", 8, 2**-6),
    ("WAV", "FLOAT", 32, 0.0),
    ("WAV", "DOUBLE", 64, 0.0),
    ("WAVEX", "PCM_24", 24, 2**-22),
    ("RF64", "PCM_16", 16, 2**-15),
    ("W64", "PCM_16", 16, 2**-15),
    ("AIFF", "PCM_16", 16, 2**-15),
    ("AIFF", "PCM_24", 24, 2**-22),
    ("FLAC", "PCM_16", 16, 2**-15),
    ("FLAC", "PCM_24", 24, 2**-22),
]


@pytest.mark.parametrize(("container", "subtype", "bits", "error"), PCM)
def test_lossless_formats_come_back_as_they_went_in(tmp_path, container, subtype, bits, error):
    sound = noise(2.5)
    path = write(tmp_path / "sound", sound, format=container, subtype=subtype)
    with stream(path) as blocks:
        decoded = np.concatenate(list(blocks), axis=1)
        info = blocks.info
    assert decoded.dtype == np.float32
    assert decoded.shape == sound.shape
    assert np.abs(decoded - sound).max() <= error
    assert info.duration_s == pytest.approx(2.5)
    assert (info.sample_rate, info.channels, info.channel_layout) == (44_100, 2, "stereo")
    assert info.bit_depth == bits
    assert info.lossless


@pytest.mark.parametrize(
    ("codec", "container", "layout"),
    [
        ("libmp3lame", "mp3", "stereo"),
        ("libopus", "ogg", "stereo"),
        ("aac", "ipod", "stereo"),
        ("aac", "adts", "mono"),
        ("alac", "ipod", "stereo"),
    ],
)
def test_compressed_formats_decode_to_the_same_tone(tmp_path, codec, container, layout):
    channels = 1 if layout == "mono" else 2
    tone = np.repeat(sine(3.0, dbfs=-12, rate=48_000)[None], channels, axis=0)
    path = encode(
        tmp_path / "x", tone, codec=codec, container=container, rate=48_000, layout=layout
    )
    info = probe(path)
    decoded = np.concatenate(list(stream(path)), axis=1)
    spectrum = np.abs(np.fft.rfft(decoded[0, 48_000:96_000]))
    assert int(spectrum.argmax()) == 1000  # Hz, as one second was transformed
    assert 20 * np.log10(np.abs(decoded[0, 48_000:96_000]).max()) == pytest.approx(-12, abs=0.6)
    assert decoded.shape[1] / 48_000 == pytest.approx(3.0, abs=0.1)
    assert info.lossless == (codec == "alac")
    assert info.bit_depth is None or codec == "alac"


@pytest.mark.parametrize("options", [{"subtype": "VORBIS"}, {"subtype": "OPUS"}])
def test_ogg_written_by_libsndfile(tmp_path, options):
    tone = np.repeat(sine(3.0, dbfs=-12, rate=48_000)[None], 2, axis=0)
    path = write(tmp_path / "x", tone, rate=48_000, format="OGG", **options)
    decoded = np.concatenate(list(stream(path)), axis=1)
    assert int(np.abs(np.fft.rfft(decoded[1, 48_000:96_000])).argmax()) == 1000
    assert probe(path).codec == options["subtype"].lower()
    assert decoded.shape[1] / 48_000 == pytest.approx(3.0, abs=0.5)


def test_float_peaks_above_full_scale_survive(tmp_path):
    sound = noise(1.5) * 30
    path = write(tmp_path / "hot.wav", sound, subtype="FLOAT")
    decoded = np.concatenate(list(stream(path)), axis=1)
    assert np.abs(decoded).max() == np.abs(sound).max() > 2.0


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 48_000, 96_000, 192_000])
def test_all_usual_rates_are_accepted(tmp_path, rate):
    path = write(tmp_path / "x.wav", noise(1.2, rate=rate), rate=rate)
    assert probe(path).sample_rate == rate


@pytest.mark.parametrize(("channels", "layout"), [(1, "mono"), (6, "5.1"), (8, "7.1")])
def test_up_to_eight_channels_are_accepted(tmp_path, channels, layout):
    path = write(tmp_path / "x.wav", noise(1.2, channels=channels), format="WAV")
    with stream(path) as blocks:
        assert next(blocks).shape == (channels, 44_100)
        assert blocks.info.channel_layout == layout


def test_blocks_have_the_length_asked_for(tmp_path):
    path = write(tmp_path / "x.flac", noise(2.6))
    lengths = [block.shape[1] for block in stream(path, block_s=0.5)]
    assert lengths == [22_050] * 5 + [4_410]


def test_probe_does_not_read_a_huge_file(tmp_path):
    path = tmp_path / "huge.wav"
    write(path, noise(2.0))
    size = 3_000 * 44_100 * 4
    with path.open("r+b") as file:
        file.seek(40)
        file.write(size.to_bytes(4, "little"))
        file.truncate(44 + size)
    before = bytes_read()
    info = probe(path)
    assert bytes_read() - before < size / 100
    assert info.duration_s == pytest.approx(3_000, abs=0.1)


def test_streaming_headers_are_not_held_against_a_file(tmp_path):
    wav = write(tmp_path / "pipe.wav", noise(2.0))
    for size in (0, 0xFFFFFFFF, 0x7FFFF000):
        data = bytearray(wav.read_bytes())
        data[40:44] = size.to_bytes(4, "little")
        wav.write_bytes(data)
        with stream(wav) as blocks:
            assert sum(block.shape[1] for block in blocks) == 88_200
            assert blocks.info.declared_duration_s is None
    flac = write(tmp_path / "pipe.flac", noise(2.0))
    data = bytearray(flac.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    flac.write_bytes(data)
    with stream(flac) as blocks:
        assert sum(block.shape[1] for block in blocks) == 88_200
        assert blocks.info.declared_duration_s is None
