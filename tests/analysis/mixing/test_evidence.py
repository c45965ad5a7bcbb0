"""Reports made by older measurements can still be judged."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from analysis.mixing import load_targets, rejudge
from analysis.mixing.evidence import Evidence
from analysis.sound.measure import measure
from tests.analysis.mixing.injuries import RATE, Array, at_peak, humming, inverted_band
from tests.analysis.mixing.mixes import document_of, music, stored
from tests.analysis.sound.signals import write

NEW_LOUDNESS = {
    "psr_min_lu",
    "psr_median_lu",
    "psr_min_at_s",
    "inter_sample_overs",
    "inter_sample_overs_at_s",
    "momentary_step_s",
    "momentary_lufs",
}
NEW_SPECTRUM = {"codec_cutoff_hz", "resonances", "band_course", "k_offset_db"}
SINCE_VERSION_3 = (
    "psr_median_lu",
    "psr_min_lu",
    "limited_share",
    "inter_sample_overs",
    "codec_cutoff_hz",
    "hum",
    "low_end",
)


def as_of_version_2(document: dict) -> dict:
    """The document as it was stored before there were these keys."""
    old = json.loads(json.dumps(document))
    for name in NEW_LOUDNESS:
        old["loudness"].pop(name, None)
    for name in NEW_SPECTRUM:
        del old["spectrum"][name]
    del old["stereo"]["bands"], old["stereo"]["low_end"]
    old.pop("dynamics", None)
    old.pop("hum", None)
    return old


@pytest.mark.parametrize("number", [0, 17])
def test_an_older_report_is_judged_on_what_it_holds(number):
    document = as_of_version_2(stored(number, genre="any"))
    evidence = Evidence.from_document(document)
    assert [getattr(evidence, name) for name in SINCE_VERSION_3] == [None] * 7
    assert (evidence.resonances, evidence.band_images) == ([], [])
    again = rejudge(document, genre="jazz", targets=load_targets())
    assert {finding["id"] for finding in again["findings"]}.isdisjoint(
        {"hum", "resonance", "lossy_source", "inter_sample_overs", "mono_loss"}
    )


def test_a_report_of_today_gives_back_all_evidence():
    document = stored(4, genre="any")
    evidence = Evidence.from_document(document)
    assert evidence.low_end is not None
    assert evidence.low_end.high_hz == 120.0
    assert len(evidence.band_images) == 7
    assert evidence.psr_median_lu == document["loudness"]["psr_median_lu"]
    assert {field.name for field in fields(Evidence)} >= set(SINCE_VERSION_3)


def document(folder: Path, sound: Array) -> dict:
    return document_of(measure(write(folder / "mix.wav", sound, rate=RATE)), genre="any")


def ids(mix: dict) -> set[str]:
    return {finding["id"] for finding in mix["findings"]}


def test_an_older_report_of_a_split_bass_still_says_so(tmp_path):
    hurt = inverted_band(music(4), low_hz=20, high_hz=200)
    today = document(tmp_path, hurt)
    for report in (today, as_of_version_2(today)):
        again = rejudge(report, genre="any", targets=load_targets())
        assert "phase_low" in ids(again)


def test_hum_survives_storing(tmp_path):
    hurt = humming(at_peak(music(4), -1.0), mains_hz=60.0, dbfs=-40.0, seed=2)
    today = document(tmp_path, hurt)
    again = rejudge(today, genre="any", targets=load_targets())
    (finding,) = [one for one in again["findings"] if one["id"] == "hum"]
    assert finding["where"]["low_hz"] == pytest.approx(60.0, abs=0.3)
    assert "hum" not in ids(rejudge(as_of_version_2(today), genre="any", targets=load_targets()))
