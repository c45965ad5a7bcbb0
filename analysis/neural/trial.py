"""Whether a folder's weights are a working version of a model: the network is built and asked once.

``python -m analysis.neural.trial FOLDER NAME`` answers in a process of its own, with one line of
JSON (``{"problem": null}`` or ``{"problem": "..."}``), so that a process without the networks'
libraries can ask.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from analysis.neural.weights import Weights, WeightsUnavailable, read_from

LONGEST_S = 120.0
_SEED = 11


def problem_of(folder: Path, name: str) -> str | None:
    """What is wrong with a model's files, or None. Loads torch into this process."""
    try:
        _try(read_from(folder, name))
    except (WeightsUnavailable, KeyError, TypeError, ValueError, OSError, RuntimeError) as error:
        return str(error) or type(error).__name__
    except (AttributeError, ArithmeticError, IndexError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def problem_of_elsewhere(folder: Path, name: str) -> str | None:
    """The same, answered by a process of its own: this one stays without torch."""
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "analysis.neural.trial", str(folder), name],
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the network did not answer within {LONGEST_S:.0f} s"
    try:
        answer = json.loads(asked.stdout.strip().splitlines()[-1])
        problem: str | None = answer["problem"]
    except (IndexError, ValueError, KeyError, TypeError):
        return f"the trial ended without an answer: {asked.stderr.strip()[-300:]}"
    return problem


def check(folder: Path, name: str) -> str | None:
    """What is wrong with a model's files, or None: answered here if torch is loaded already."""
    return (
        problem_of(folder, name) if "torch" in sys.modules else problem_of_elsewhere(folder, name)
    )


def _try(weights: Weights) -> None:
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(weights.path)
    except SafetensorError as error:
        raise WeightsUnavailable(f"it is no intact safetensors file ({error})") from error
    for key, tensor in tensors.items():
        if np.issubdtype(tensor.dtype, np.floating) and not np.isfinite(tensor).all():
            raise WeightsUnavailable(f"the tensor {key} holds values that are not finite")
    draw = np.random.default_rng(_SEED)
    if weights.name == "ears":
        from analysis.neural.ears import Ears
        from analysis.sound.mel import log_mel

        sound = 0.1 * draw.standard_normal(20 * 22_050).astype(np.float32)
        ears = Ears(weights)
        heard = ears.hear(log_mel(sound), tagged=ears.tag(sound))
        answers = [*heard.probabilities.values(), *heard.features.values(), heard.familiarity]
        answers += heard.embedding.tolist()
    elif weights.name == "timbre":
        from analysis.neural.timbre.model import Timbre

        timbre = Timbre(weights)
        missing = set(timbre.tags) - set(timbre.formulas)
        if missing:
            raise WeightsUnavailable(
                f"the settings have no formula for {', '.join(sorted(missing))}"
            )
        clip = timbre.hear(0.1 * draw.standard_normal(32_000).astype(np.float32))
        answers = clip.probabilities.tolist()
    else:
        raise WeightsUnavailable(f"there is no network called {weights.name}")
    if not np.isfinite(answers).all():
        raise WeightsUnavailable("the network answers with values that are not finite")


def main(folder: str, name: str) -> None:
    """Write the answer."""
    sys.stdout.write(json.dumps({"problem": problem_of(Path(folder), name)}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
