"""The browser's mixer and the server's render multiply with the same gains."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import numpy as np
from playwright._impl._driver import compute_driver_executable

from analysis.mixing.stem_mix import gains, parse, to_document

NAMES = ["vocals", "drums", "bass", "guitar", "piano", "other"]
LEVELS = Path(__file__).parents[3] / "static/js/mixer_levels.js"


def test_gains_in_the_browser_are_those_of_the_server():
    rng = random.Random(4)
    cases = [
        {
            "stems": {
                name: {
                    "gain_db": rng.choice([0.0, -60.0, 6.0, rng.uniform(-60.0, 6.0)]),
                    "pan": rng.choice([0.0, -1.0, 1.0, rng.uniform(-1.0, 1.0)]),
                    "mute": rng.random() < 0.2,
                    "solo": rng.random() < 0.1,
                }
                for name in NAMES
            },
            "master_db": rng.uniform(-60.0, 6.0),
        }
        for _ in range(200)
    ]
    script = (
        LEVELS.read_text(encoding="utf-8")
        + f"const cases = {json.dumps(cases)}, names = {json.dumps(NAMES)};"
        + "console.log(JSON.stringify(cases.map((one) => stemGains(tidied(one, names), names))));"
    )
    node, _ = compute_driver_executable()  # the browser tests' own
    ran = subprocess.run(
        [node, "--input-type=module", "-"], input=script, capture_output=True, text=True, check=True
    )
    theirs = np.array(json.loads(ran.stdout))
    ours = np.array([gains(parse(one), NAMES) for one in cases])
    np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-12)
    assert {True, False} == set((ours == 0.0).all(axis=2).ravel().tolist())
    assert all(to_document(parse(one)) == one for one in cases), "and nothing is lost in between"
