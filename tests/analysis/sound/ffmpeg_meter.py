"""FFmpeg's ebur128 filter: an independent loudness meter, driven through PyAV."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np

from tests.analysis.sound.signals import Array


@dataclass(frozen=True)
class Reference:
    """What FFmpeg says: LUFS, LU, and dBTP of the loudest channel."""

    integrated_lufs: float
    loudness_range_lu: float
    true_peak_dbtp: float


def ebur128(sound: Array, *, rate: int, layout: str = "stereo") -> Reference:
    """Measure (channels, n); the filter attaches its readings to the frames that it passes on."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="fltp", layout=layout)
    meter = graph.add("ebur128", "metadata=1:peak=true")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    found: dict[str, str] = {}
    peaks: list[float] = []
    for start in range(0, sound.shape[1], rate):
        block = np.ascontiguousarray(sound[:, start : start + rate])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate = rate
        frame.pts = start
        source.push(frame)
        while True:
            try:
                metadata = dict(sink.pull().metadata)
            except (av.error.BlockingIOError, av.error.EOFError):
                break
            found |= metadata
            peaks += [
                float(value)
                for name, value in metadata.items()
                if name.startswith("lavfi.r128.true_peaks_ch")
            ]
    return Reference(
        integrated_lufs=float(found["lavfi.r128.I"]),
        loudness_range_lu=float(found["lavfi.r128.LRA"]),
        true_peak_dbtp=20.0 * float(np.log10(max(peaks))),
    )
