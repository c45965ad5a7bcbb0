"""Folding any channel layout down to stereo and to mono, as players do."""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt

_SIDE = 0.7071067811865476
_TO_LEFT_RIGHT: dict[str, tuple[float, float]] = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_SIDE, _SIDE),
    "BC": (0.5, 0.5),
    "BL": (_SIDE, 0.0),
    "SL": (_SIDE, 0.0),
    "FLC": (1.0, 0.0),
    "BR": (0.0, _SIDE),
    "SR": (0.0, _SIDE),
    "FRC": (0.0, 1.0),
    "DL": (1.0, 0.0),
    "DR": (0.0, 1.0),
}


def stereo_matrix(channel_layout: str) -> npt.NDArray[np.float32]:
    """Gains (2, channels) of ITU-R BS.775's down-mix; LFE is left out, stereo stays as it is."""
    names = [channel.name for channel in av.AudioLayout(channel_layout).channels]
    gains = [
        (0.0, 0.0) if name.startswith("LFE") else _TO_LEFT_RIGHT.get(name, (0.5, 0.5))
        for name in names
    ]
    return np.array(gains, dtype=np.float32).T


class Fold:
    """Stereo and mono versions of blocks of shape (channels, n)."""

    def __init__(self, channel_layout: str) -> None:
        self._matrix = stereo_matrix(channel_layout)
        self.channels = self._matrix.shape[1]

    def stereo(self, block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Shape (2, n); one channel is sent to both sides."""
        if self.channels == 2:
            return block
        if self.channels == 1:
            return np.repeat(block, 2, axis=0)
        return self._matrix @ block

    def mono(self, stereo: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Mean of left and right, shape (n,)."""
        return (stereo[0] + stereo[1]) * np.float32(0.5)
