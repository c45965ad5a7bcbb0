"""Read a Whisper model that was stored for CTranslate2, and name its tensors as OpenAI does.

The file ``model.bin`` is a flat list (CTranslate2's ``model_spec.py``, ``ModelSpec._serialize``):
a version, the spec's name, a revision and a count (u32 each, the name with its length as u16), then
for every variable its name, its rank (u8), dimensions (u32), type (u8), size in bytes (u32) and
data; aliases follow. Attention is stored with its query, key and value matrices joined.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analysis.neural.weights import WeightsUnavailable

_TYPES: dict[int, Any] = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


class _Cursor:
    """A position in a file's content."""

    def __init__(self, content: np.memmap[Any, Any]) -> None:
        self._content = content
        self.position = 0

    def unsigned(self, kind: str) -> int:
        size = struct.calcsize(f"<{kind}")
        value: int = struct.unpack(f"<{kind}", self.take(size))[0]
        return value

    def text(self) -> str:
        return bytes(self.take(self.unsigned("H"))).rstrip(b"\0").decode("ascii")

    def take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self._content):
            raise ValueError("the file ends too early")
        content = self._content[self.position : end].tobytes()
        self.position = end
        return content


def read_variables(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Every variable of a ``model.bin`` by name.

    Raises
    ------
    WeightsUnavailable
        If the file is no such model or is cut off.
    """
    try:
        cursor = _Cursor(np.memmap(path, dtype=np.uint8, mode="r"))
        cursor.unsigned("I")
        spec = cursor.text()
        if spec != "WhisperSpec":
            raise ValueError(f"it holds a {spec}")
        cursor.unsigned("I")
        variables = {}
        for _ in range(cursor.unsigned("I")):
            name = cursor.text()
            shape = [cursor.unsigned("I") for _ in range(cursor.unsigned("B"))]
            kind = _TYPES[cursor.unsigned("B")]
            values = np.frombuffer(cursor.take(cursor.unsigned("I")), kind)
            variables[name] = values.reshape(shape)
    except (ValueError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise WeightsUnavailable(
            f"{path} is not a Whisper model of CTranslate2: {error}"
        ) from error
    return variables


def openai_dimensions(variables: dict[str, np.ndarray[Any, Any]]) -> dict[str, int]:
    """The arguments of ``whisper.model.ModelDimensions``."""
    n_vocab, n_text_state = variables["decoder/embeddings/weight"].shape
    n_audio_state, n_mels, _ = variables["encoder/conv1/weight"].shape
    return {
        "n_mels": n_mels,
        "n_audio_ctx": variables["encoder/position_encodings/encodings"].shape[0],
        "n_audio_state": n_audio_state,
        "n_audio_head": int(variables["encoder/num_heads"]),
        "n_audio_layer": _layers(variables, "encoder"),
        "n_vocab": n_vocab,
        "n_text_ctx": variables["decoder/position_encodings/encodings"].shape[0],
        "n_text_state": n_text_state,
        "n_text_head": int(variables["decoder/num_heads"]),
        "n_text_layer": _layers(variables, "decoder"),
    }


def openai_state(variables: dict[str, np.ndarray[Any, Any]]) -> dict[str, torch.Tensor]:
    """The state of ``whisper.model.Whisper``: the same numbers, as 32-bit floats.

    Raises
    ------
    WeightsUnavailable
        If the weights are quantised to integers, or the keys have a bias, for which OpenAI's model
        has no place.
    """
    state: dict[str, torch.Tensor] = {}

    def put(target: str, values: np.ndarray[Any, Any]) -> None:
        if values.dtype == np.int8 or values.dtype == np.int16:
            raise WeightsUnavailable("the model is quantised; it needs float weights")
        state[target] = torch.from_numpy(values.astype(np.float32))

    def linear(target: str, source: str) -> None:
        put(f"{target}.weight", variables[f"{source}/weight"])
        put(f"{target}.bias", variables[f"{source}/bias"])

    def norm(target: str, source: str) -> None:
        put(f"{target}.weight", variables[f"{source}/gamma"])
        put(f"{target}.bias", variables[f"{source}/beta"])

    def joined(target: str, source: str, names: tuple[str, ...]) -> None:
        weights = np.split(variables[f"{source}/weight"], len(names))
        biases = np.split(variables[f"{source}/bias"], len(names))
        for name, weight, bias in zip(names, weights, biases, strict=True):
            put(f"{target}.{name}.weight", weight)
            if name != "key":
                put(f"{target}.{name}.bias", bias)
            elif np.any(bias):
                raise WeightsUnavailable("the keys of the model's attention have a bias")

    for number in (1, 2):
        linear(f"encoder.conv{number}", f"encoder/conv{number}")
    norm("encoder.ln_post", "encoder/layer_norm")
    norm("decoder.ln", "decoder/layer_norm")
    put("encoder.positional_embedding", variables["encoder/position_encodings/encodings"])
    put("decoder.positional_embedding", variables["decoder/position_encodings/encodings"])
    put("decoder.token_embedding.weight", variables["decoder/embeddings/weight"])
    for part in ("encoder", "decoder"):
        for number in range(_layers(variables, part)):
            block, layer = f"{part}.blocks.{number}", f"{part}/layer_{number}"
            norm(f"{block}.attn_ln", f"{layer}/self_attention/layer_norm")
            joined(f"{block}.attn", f"{layer}/self_attention/linear_0", ("query", "key", "value"))
            linear(f"{block}.attn.out", f"{layer}/self_attention/linear_1")
            if part == "decoder":
                norm(f"{block}.cross_attn_ln", f"{layer}/attention/layer_norm")
                linear(f"{block}.cross_attn.query", f"{layer}/attention/linear_0")
                joined(f"{block}.cross_attn", f"{layer}/attention/linear_1", ("key", "value"))
                linear(f"{block}.cross_attn.out", f"{layer}/attention/linear_2")
            norm(f"{block}.mlp_ln", f"{layer}/ffn/layer_norm")
            linear(f"{block}.mlp.0", f"{layer}/ffn/linear_0")
            linear(f"{block}.mlp.2", f"{layer}/ffn/linear_1")
    return state


def alignment_heads(folder: Path) -> list[tuple[int, int]]:
    """Decoder heads (layer, head) that follow the time, from the model's ``config.json``."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return [(layer, head) for layer, head in config["alignment_heads"]]


def _layers(variables: dict[str, np.ndarray[Any, Any]], part: str) -> int:
    return len(
        {name.split("/")[1] for name in variables if name.startswith(f"{part}/layer_")}
        - {"layer_norm"}
    )
