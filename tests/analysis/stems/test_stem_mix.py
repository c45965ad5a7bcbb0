"""The law of gains and balance, and what is refused as a mix."""

from __future__ import annotations

import json

import numpy as np
import pytest

from analysis.mixing.stem_mix import (
    A_CAPPELLA,
    INSTRUMENTAL,
    BadMix,
    balance,
    gains,
    mixed,
    parse,
    to_document,
)

NAMES = ["vocals", "drums", "bass", "other"]


def lanes(**stems):
    return parse({"stems": stems, "master_db": -6.0})


def test_the_middle_changes_nothing_and_power_is_constant():
    assert balance(0.0) == (1.0, 1.0)
    for pan in (-1.0, -0.5, 0.3, 1.0):
        left, right = balance(pan)
        assert left**2 + right**2 == pytest.approx(2.0)
        assert balance(-pan) == pytest.approx((right, left))
    # Half way to the right: cos and sin of 67.5 degrees, times the root of two.
    assert balance(0.5) == pytest.approx((0.541196, 1.306563), abs=1e-6)
    assert balance(1.0) == pytest.approx((0.0, 1.414214), abs=1e-6)


def test_gain_mute_solo_and_master():
    found = gains(lanes(vocals={"gain_db": -14.0, "pan": -1.0}, drums={"mute": True}), NAMES)
    np.testing.assert_allclose(found[0], [0.1 * np.sqrt(2), 0.0], atol=1e-12)
    np.testing.assert_allclose(found[1], 0.0)
    np.testing.assert_allclose(found[2:], 10 ** (-6 / 20))
    # A mute is stronger than a solo, and its solo still silences the others.
    found = gains(lanes(vocals={"solo": True, "mute": True}, bass={"solo": True}), NAMES)
    assert (found != 0).any(axis=1).tolist() == [False, False, True, False]


def test_presets():
    assert gains(INSTRUMENTAL, NAMES).tolist() == [[0, 0], [1, 1], [1, 1], [1, 1]]
    assert gains(A_CAPPELLA, NAMES).tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]


def test_the_sum_is_the_sum():
    rng = np.random.default_rng(1)
    stems = rng.standard_normal((4, 500, 2)).astype(np.float32)
    settings = lanes(vocals={"gain_db": 3.0, "pan": 0.25}, other={"gain_db": -9.0})
    factors = gains(settings, NAMES)
    blocks = list(mixed([np.array_split(stem, [200, 410]) for stem in stems], factors))
    assert [block.shape for block in blocks] == [(2, 200), (2, 210), (2, 90)]
    expected = np.einsum("snc,sc->cn", stems, factors)
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), expected, atol=1e-6)


def test_what_is_saved_is_read_again():
    settings = lanes(vocals={"gain_db": 1.5, "pan": -0.2, "mute": True, "solo": False})
    assert parse(json.loads(json.dumps(to_document(settings)))) == settings


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "must be a JSON object"),
        ({"stem": {}}, "unknown entry: stem"),
        ({"stems": {"kazoo": {}}}, "unknown entry: kazoo"),
        ({"stems": {"vocals": 3}}, "setting of vocals"),
        ({"stems": {"vocals": {"gain": 3}}}, "unknown entry: gain"),
        ({"stems": {"vocals": {"gain_db": 6.5}}}, "from -60 to 6"),
        ({"stems": {"vocals": {"gain_db": "3"}}}, "level of vocals must be a number"),
        ({"stems": {"vocals": {"gain_db": True}}}, "level of vocals must be a number"),
        ({"stems": {"vocals": {"gain_db": float("nan")}}}, "level of vocals"),
        ({"stems": {"vocals": {"pan": -1.01}}}, "from -1 to 1"),
        ({"stems": {"vocals": {"mute": 1}}}, "mute of vocals must be true or false"),
        ({"master_db": float("inf")}, "master level"),
        ({"master_db": None}, "master level"),
    ],
)
def test_what_is_no_mix_is_refused(document, said):
    with pytest.raises(BadMix, match=said):
        parse(document)
