"""MusiCNN taggers as teachers: what they hear in real sound, for the trunk to learn from.

Pons & Serra 2019, "musicnn: pre-trained convolutional neural networks for music audio tagging".
The network is written out in PyTorch after its description, and reads the published TensorFlow
checkpoints (package ``musicnn`` 0.1.0, ISC) as they are. The product needs neither at run time:
they are used while training, and only what the trunk learned from them ships.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from analysis.sound.mel import COLUMNS_PER_SECOND, TOP_DB, mel_frequencies_hz

SAMPLE_RATE = 16_000
PATCH_FRAMES = 187
HOP_LENGTH = 256
FEATURES = 200
TAGS = 50
PATCH_SECONDS = PATCH_FRAMES * HOP_LENGTH / SAMPLE_RATE
# Power of the loudest mel cell of real recordings: the median over 12 tracks of GTZAN.
LOUDEST_CELL = 66.0
_N_FFT = 512
_N_MELS = 96
_FLOAT32 = 1  # TensorFlow's number of the type
_TABLE_MAGIC = 0xDB4775248B80FB57
_FRONT_END_KERNELS = ((7, 38), (7, 67), (128, 1), (64, 1), (32, 1))


class MusiCNN(nn.Module):
    """A tagger of 50 tags on patches of log-mel frames (n, 187, 96)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (204, 204, 51, 51, 51)
        self.input_norm = _norm(1)
        self.front = nn.ModuleList(
            nn.Conv2d(1, width, kernel)
            for width, kernel in zip(widths, _FRONT_END_KERNELS, strict=True)
        )
        self.front_norm = nn.ModuleList(_norm(width) for width in widths)
        self.middle = nn.ModuleList(nn.Conv1d(rows, 64, 7, padding=3) for rows in (561, 64, 64))
        self.middle_norm = nn.ModuleList(_norm(64, dimensions=1) for _ in range(3))
        self.pool_norm = _norm(2 * 753, dimensions=1)
        self.dense = nn.Linear(2 * 753, FEATURES)
        self.dense_norm = _norm(FEATURES, dimensions=1)
        self.tags = nn.Linear(FEATURES, TAGS)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Tag logits (n, 50) and penultimate features (n, 200)."""
        x = self.input_norm(patches[:, None])
        fronts = []
        for convolution, norm, (length, _) in zip(
            self.front, self.front_norm, _FRONT_END_KERNELS, strict=True
        ):
            padded = functional.pad(x, (0, 0, (length - 1) // 2, length // 2))
            fronts.append(norm(functional.relu(convolution(padded))).amax(dim=3))
        levels = [torch.cat(fronts, dim=1)]
        for convolution, norm in zip(self.middle, self.middle_norm, strict=True):
            heard = norm(functional.relu(convolution(levels[-1])))
            levels.append(heard if len(levels) == 1 else heard + levels[-1])
        everything = torch.cat(levels, dim=1)
        pooled = torch.stack([everything.amax(dim=2), everything.mean(dim=2)], dim=2).flatten(1)
        features = self.dense_norm(functional.relu(self.dense(self.pool_norm(pooled))))
        return self.tags(features), features


def _norm(channels: int, *, dimensions: int = 2) -> nn.Module:
    return (nn.BatchNorm1d if dimensions == 1 else nn.BatchNorm2d)(channels, eps=1e-3)


def load_musicnn(folder: Path) -> MusiCNN:
    """A tagger from a published checkpoint folder (``MSD_musicnn`` or ``MTT_musicnn``).

    Raises FileNotFoundError, KeyError or ValueError if it is not such a folder.
    """
    saved = read_tensorflow_checkpoint(folder)
    model = MusiCNN()

    def numbered(name: str, index: int) -> str:
        return f"{name}_{index}" if index else name

    def fill_norm(module: nn.Module, index: int) -> None:
        prefix = numbered("batch_normalization", index)
        module.load_state_dict(
            {
                "weight": torch.from_numpy(saved[f"{prefix}/gamma"]),
                "bias": torch.from_numpy(saved[f"{prefix}/beta"]),
                "running_mean": torch.from_numpy(saved[f"{prefix}/moving_mean"]),
                "running_var": torch.from_numpy(saved[f"{prefix}/moving_variance"]),
                "num_batches_tracked": torch.tensor(0),
            }
        )

    def fill_weights(module: nn.Module, name: str, *axes: int) -> None:
        kernel = saved[f"{name}/kernel"].transpose(axes)
        own = module.state_dict()["weight"]
        module.load_state_dict(
            {
                "weight": torch.from_numpy(kernel.copy()).reshape(own.shape),
                "bias": torch.from_numpy(saved[f"{name}/bias"]),
            }
        )

    fill_norm(model.input_norm, 0)
    for index, convolution in enumerate(model.front):
        fill_weights(convolution, numbered("conv2d", index), 3, 2, 0, 1)
        fill_norm(model.front_norm[index], index + 1)
    for index, convolution in enumerate(model.middle):
        # TensorFlow sees (7 frames, all rows, 1) -> 64; here the rows are the channels.
        fill_weights(convolution, numbered("conv2d", index + 5), 3, 1, 0, 2)
        fill_norm(model.middle_norm[index], index + 6)
    fill_norm(model.pool_norm, 9)
    fill_weights(model.dense, "dense", 1, 0)
    fill_norm(model.dense_norm, 10)
    fill_weights(model.tags, "dense_1", 1, 0)
    return model.eval()


@cache
def _mel_filters() -> Tensor:
    filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_N_FFT, n_mels=_N_MELS)
    return torch.from_numpy(filters.astype(np.float32))


def log_mel_patches(mono: npt.NDArray[np.float32], *, hop_seconds: float = PATCH_SECONDS) -> Tensor:
    """Patches (n, 187, 96) of a 16 kHz mono signal, one every ``hop_seconds``.

    A signal shorter than one patch (3 s) is repeated until it fills one.
    """
    needed = PATCH_FRAMES * HOP_LENGTH
    if mono.size < needed:
        mono = np.tile(mono, -(-needed // max(1, mono.size)))[:needed]
    spectrum = torch.stft(
        torch.from_numpy(np.ascontiguousarray(mono)),
        _N_FFT,
        HOP_LENGTH,
        window=torch.hann_window(_N_FFT),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    mel = _mel_filters() @ spectrum.abs().square()
    return _cut(_compressed(mel.T), hop_seconds)


def imagined_patches(picture: npt.NDArray[np.uint8]) -> Tensor:
    """Patches (n, 187, 96) as they might look for a track of which only the picture (128, T) is
    there: bands and columns are interpolated, and the loudest cell gets :data:`LOUDEST_CELL`.

    Fast changes and the level are lost, and the teacher hears worse for it: a support vector
    machine on its features names 0.64 of GTZAN's validation tracks.
    """
    decibels = picture.astype(np.float32) / 255.0 * TOP_DB - TOP_DB
    ours = mel_frequencies_hz()
    theirs = librosa.mel_frequencies(_N_MELS + 2, fmin=0.0, fmax=SAMPLE_RATE / 2)[1:-1]
    rows = np.interp(theirs, ours, np.arange(ours.size))
    seconds = np.arange(0.0, picture.shape[1] / COLUMNS_PER_SECOND, HOP_LENGTH / SAMPLE_RATE)
    grid = torch.from_numpy(_interpolated(decibels, rows, seconds * COLUMNS_PER_SECOND))
    frames = _compressed(LOUDEST_CELL * 10.0 ** (grid.T / 10.0))
    if len(frames) < PATCH_FRAMES:
        frames = frames.repeat(-(-PATCH_FRAMES // len(frames)), 1)
    return _cut(frames, PATCH_SECONDS)


def _interpolated(
    values: npt.NDArray[np.float32], rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Bilinear reading of (h, w) at fractional rows and columns; the edges are held."""

    def along(
        data: npt.NDArray[np.float32], at: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float32]:
        last = max(0, data.shape[0] - 2)
        low = np.clip(np.floor(at), 0, last).astype(int)
        high = np.minimum(low + 1, data.shape[0] - 1)
        share = np.clip(at - low, 0.0, 1.0).astype(np.float32)[:, None]
        return data[low] * (1 - share) + data[high] * share

    return along(along(values, rows).T, columns).T


def _compressed(mel: Tensor) -> Tensor:
    return torch.log10(10_000.0 * mel + 1.0)


def _cut(frames: Tensor, hop_seconds: float) -> Tensor:
    step = max(1, round(hop_seconds * SAMPLE_RATE / HOP_LENGTH))
    return frames.unfold(0, PATCH_FRAMES, step).transpose(1, 2).contiguous()


def read_tensorflow_checkpoint(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """All float32 variables of a TensorFlow "tensor bundle" (``.index``, ``.data-00000-of-00001``).

    The index is a LevelDB table of (name, BundleEntryProto); see tensorflow/core/util/tensor_bundle
    and leveldb/doc/table_format.md. Only what such small, uncompressed, one-shard files need.
    """
    index = (folder / ".index").read_bytes()
    data = (folder / ".data-00000-of-00001").read_bytes()
    if len(index) < 48 or struct.unpack("<Q", index[-8:])[0] != _TABLE_MAGIC:
        raise ValueError(f"{folder} holds no TensorFlow checkpoint index")
    footer = index[-48:]
    _, position = _varint(footer, 0)
    _, position = _varint(footer, position)
    offset, position = _varint(footer, position)
    size, _ = _varint(footer, position)
    tensors = {}
    for _, handle in _block(index, offset, size):
        block_offset, position = _varint(handle, 0)
        block_size, _ = _varint(handle, position)
        for name, entry in _block(index, block_offset, block_size):
            found = _bundle_entry(entry)
            if name and found.dtype == _FLOAT32:
                raw = data[found.offset : found.offset + found.size]
                tensors[name.decode()] = np.frombuffer(raw, "<f4").reshape(found.shape).copy()
    return tensors


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if not byte & 0x80:
            return value, position


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a table block; keys share prefixes with the key before."""
    if table[offset + size] != 0:
        raise ValueError("the checkpoint index is compressed")
    block = table[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    end = size - 4 - 4 * restarts
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


@dataclass
class _BundleEntry:
    """A BundleEntryProto: where a variable lies in the data file, and what it is."""

    dtype: int = 0
    shape: list[int] = field(default_factory=list)
    offset: int = 0
    size: int = 0


def _bundle_entry(message: bytes) -> _BundleEntry:
    entry = _BundleEntry()
    names = {1: "dtype", 4: "offset", 5: "size"}
    for number, value in _protobuf(message):
        if number in names:
            setattr(entry, names[number], value)
        elif number == 2 and isinstance(value, bytes):
            for kind, dimension in _protobuf(value):
                if kind == 2 and isinstance(dimension, bytes):
                    entry.shape.append(int(dict(_protobuf(dimension)).get(1, 0)))
    return entry


def _protobuf(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield tag >> 3, value
        elif kind == 2:
            length, position = _varint(message, position)
            yield tag >> 3, message[position : position + length]
            position += length
        elif kind == 5:
            position += 4
        elif kind == 1:
            position += 8
        else:
            raise ValueError(f"unexpected protobuf wire type {kind}")
