"""Run as a script: prints the peak of anonymous memory (KB) that separating 1 and 6 min takes.

The engine hands out one ready segment again and again, so that what is measured is all that
surrounds the networks: decoding, the spool, the segments, joining.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import torch

from analysis.neural.separation.separate import separate
from tests.analysis.neural.separation.sounds import RATE, song

SEGMENT_SAMPLES = 10 * RATE


class Quick:
    name, stems, identity = "quick", ("vocals", "drums", "bass", "other"), "quick"
    segment_samples = SEGMENT_SAMPLES

    def begin(self, read):
        ready = read(0, SEGMENT_SAMPLES).expand(4, 2, SEGMENT_SAMPLES) / 4
        return lambda number: ready.clone()


class PeakOfAnonymousMemory:
    """Looks every 5 ms; mapped files, which the system can drop at any time, do not count."""

    def __enter__(self) -> PeakOfAnonymousMemory:
        self.kb = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        status = Path("/proc/self/status")
        while not self._stop.wait(0.005):
            self.kb = max(self.kb, int(status.read_text().partition("RssAnon:")[2].split()[0]))


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    block = song(10.0)

    def run(minutes: int) -> int:
        with PeakOfAnonymousMemory() as peak:
            separate(
                (block for _ in range(6 * minutes)),
                folder / str(minutes),
                engine=Quick(),
                sample_rate=RATE,
                file_format="wav",
            )
        return peak.kb

    run(1)
    print(run(1), run(6))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
