"""Reading the variables of a published TensorFlow checkpoint, without TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_FLOAT32 = 1  # TensorFlow's number of the type
_TABLE_MAGIC = 0xDB4775248B80FB57


# The two files of a checkpoint.
INDEX, DATA = ".index", ".data-00000-of-00001"


def read_tensorflow_checkpoint(index: bytes, data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """All float32 variables of a TensorFlow "tensor bundle", of the bytes of its two files.

    The index is a LevelDB table of (name, BundleEntryProto); see tensorflow/core/util/tensor_bundle
    and leveldb/doc/table_format.md. Only what such small, uncompressed, one-shard files need.
    """
    if len(index) < 48 or struct.unpack("<Q", index[-8:])[0] != _TABLE_MAGIC:
        raise ValueError("this is no index of a TensorFlow checkpoint")
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
