"""Comparing versions of a song in a real browser: what the page shows, and which one sounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from analysis.sound.decode import stream
from analysis.sound.equaliser import Equaliser, Move
from tests.analysis.sound.signals import write
from tests.e2e.test_journey import REPORT_MS, SONGS, eventually, sign_up, upload
from tests.stack import Stack

RATE = 48_000
SECONDS = 24
DARKER = Move("high_shelf", 4_000.0, -15.0)
LOUDER_DB = 6.0
LATER_S = 0.4

# Whatever goes to the loudspeaker also goes to an analyser that the test can read.
TAP = """
  const connect = AudioNode.prototype.connect;
  window.taps = [];
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target === this.context.destination) {
      const tap = new AnalyserNode(this.context, { fftSize: 32768, smoothingTimeConstant: 0 });
      connect.call(this, tap);
      window.taps.push(tap);
    }
    return connect.call(this, target, ...rest);
  };
"""

# Level of what sounds in dB, and how far its treble lies above its middle, in dB. Two seconds'
# worth: what the analysers hold is 0.7 s long.
LISTEN = """async () => {
  const sum = (bins, from, to, step) =>
    bins
      .slice(Math.round(from / step), Math.round(to / step))
      .reduce((all, db) => all + 10 ** (db / 10), 0);
  let treble = 0, middle = 0, power = 0;
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((done) => setTimeout(done, 700));
    for (const tap of window.taps) {
      const bins = new Float32Array(tap.frequencyBinCount);
      const wave = new Float32Array(tap.fftSize);
      tap.getFloatFrequencyData(bins);
      tap.getFloatTimeDomainData(wave);
      const step = tap.context.sampleRate / tap.fftSize;
      treble += sum(bins, 6000, 12000, step);
      middle += sum(bins, 200, 2000, step);
      power += wave.reduce((all, one) => all + one * one, 0) / wave.length / 3;
    }
  }
  return { brightness: 10 * Math.log10(treble / middle), level: 10 * Math.log10(power) };
}"""

# Largest distance between both playheads while it plays for a second and a half.
APART = """async (later) => {
  const [a, b] = document.querySelectorAll("audio");
  let most = 0;
  for (let turn = 0; turn < 30; turn += 1) {
    await new Promise((done) => setTimeout(done, 50));
    most = Math.max(most, Math.abs(b.currentTime - later - a.currentTime));
  }
  return { most, playing: !a.paused && !b.paused };
}"""


@dataclass(frozen=True)
class Compared:
    """A track with three versions, and the browser's state of its owner."""

    url: str
    state: dict
    versions: list[npt.NDArray[np.float32]]


def versions() -> list[npt.NDArray[np.float32]]:
    """A song; the same darker and 6 dB louder; the same as the first, 0.4 s later."""
    song = np.concatenate(list(stream(SONGS[0])), axis=1)[:, : SECONDS * RATE]
    song = song * np.float32(0.3 / np.abs(song).max())
    darker = Equaliser([DARKER], sample_rate=RATE, channels=2)(song)
    later = np.concatenate([np.zeros((2, int(LATER_S * RATE)), np.float32), song], axis=1)
    return [song, darker * np.float32(10 ** (LOUDER_DB / 20)), later]


def open_report(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#genre")).to_be_visible(timeout=REPORT_MS)


def add_versions(page: Page, site: Stack, folder: Path) -> Compared:
    """Upload the three versions as an artist does, and wait for their reports."""
    sounds = versions()
    paths = [
        write(folder / f"v{number}.wav", sound, rate=RATE)
        for number, sound in enumerate(sounds, start=1)
    ]
    sign_up(page, site)
    upload(page, site, paths[:1])
    page.locator("[data-list] a[data-open]").first.click()
    page.wait_for_url("**/tracks/**")
    address = page.url.partition("?")[0]
    for path in paths[1:]:
        page.get_by_role("link", name="New version").click()
        page.locator("[data-files]").set_input_files(path)
        page.locator("[data-list] a[data-open]").click()
        page.wait_for_url("**/tracks/**")
    for number in range(1, len(paths) + 1):
        open_report(page, f"{address}?revision={number}")
    return Compared(address, page.context.storage_state(), sounds)


@pytest.fixture(scope="module")
def compared(browser: Browser, live_site: Stack, tmp_path_factory) -> Compared:
    context = browser.new_context()
    context.set_default_timeout(30_000)
    found = add_versions(context.new_page(), live_site, tmp_path_factory.mktemp("versions"))
    context.close()
    return found


@pytest.fixture
def compare(compared: Compared, context: BrowserContext, page: Page):
    """Call it with two numbers to open the page that compares these versions."""
    context.add_cookies(compared.state["cookies"])
    page.add_init_script(TAP)

    def open_page(a: int, b: int) -> Page:
        page.goto(f"{compared.url}compare/?a={a}&b={b}")
        eventually(page, "[...document.querySelectorAll('audio')].every((one) => one.readyState)")
        return page

    return open_page


def number_in(text: str) -> float:
    return float(re.search(r"[+−-]?\d+(\.\d+)?", text).group().replace("−", "-"))


def playing(page: Page) -> None:
    eventually(page, "[...document.querySelectorAll('audio')].every((one) => !one.paused)")


def press_play(page: Page) -> None:
    page.get_by_role("button", name="Play", exact=True).locator("visible=true").click()
    playing(page)


def test_the_report_leads_to_the_comparison_of_the_two_newest(compared, context, page):
    context.add_cookies(compared.state["cookies"])
    page.goto(compared.url)
    page.get_by_role("link", name="Compare versions").click()
    page.wait_for_url("**/compare/**")
    expect(page.get_by_label("Before")).to_have_value("2")
    expect(page.get_by_label("After")).to_have_value("3")
    page.get_by_label("Before").select_option("1")
    page.wait_for_url("**a=1&b=3")
    expect(page.locator("[data-summary]")).to_contain_text("stayed")


def test_it_shows_what_the_equaliser_did(compare):
    page = compare(1, 2)
    changes = {
        name: number_in(page.locator(f"[data-band={name}] [data-change]").inner_text())
        for name in ("bass", "mids", "brilliance")
    }
    # A shelf of -15 dB at 4 kHz: the bands below stay together, the treble above falls by it.
    assert changes["bass"] == pytest.approx(changes["mids"], abs=0.7)
    assert changes["brilliance"] - changes["mids"] == pytest.approx(-14.0, abs=1.5)
    # Louder by 6 dB, but by less to the ear, which misses the treble.
    loudness = page.locator("[data-figure=integrated_lufs] [data-label=Change]").inner_text()
    assert 4.0 < number_in(loudness) <= LOUDER_DB
    expect(page.locator("[data-match]")).to_contain_text("v2 is turned down by")
    expect(page.locator("#spectra path")).to_have_count(3)
    assert page.locator("#spectra [data-difference]").get_attribute("aria-label").find("−") > 0


def test_the_switch_changes_what_sounds_and_keeps_the_place(compare):
    page = compare(1, 2)
    press_play(page)
    first = page.evaluate(LISTEN)
    jump = page.evaluate(
        """() => {
          const [a, b] = document.querySelectorAll("audio");
          const before = a.currentTime;
          document.querySelector("[data-side][value='1']").click();
          return b.currentTime - before;
        }"""
    )
    assert jump == pytest.approx(0, abs=0.05)
    second = page.evaluate(LISTEN)
    # -15 dB at 4 kHz and above.
    assert second["brightness"] - first["brightness"] == pytest.approx(-15, abs=5)
    # One file is 6 dB louder than the other; here both come equally loud.
    assert second["level"] == pytest.approx(first["level"], abs=2.5)

    # And back, by the keyboard.
    page.locator("body").press("b")
    expect(page.locator("[data-side][value='0']")).to_be_checked()
    third = page.evaluate(LISTEN)
    assert third["brightness"] - second["brightness"] == pytest.approx(15, abs=5)
    assert page.evaluate("!document.querySelector('audio').paused")


def test_both_stay_within_50_ms_while_one_switches_and_seeks(compare):
    page = compare(1, 2)
    press_play(page)
    page.wait_for_timeout(1_000)
    for _ in range(3):
        page.locator("body").press("b")
        found = page.evaluate(APART, 0)
        assert found["playing"]
        assert found["most"] < 0.05
    # A press on the waveform, then the arrow keys.
    box = page.locator("[data-wave]").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    eventually(page, "document.querySelector('audio').currentTime > 11")
    playing(page)
    page.wait_for_timeout(1_000)
    assert page.evaluate(APART, 0)["most"] < 0.05
    before = page.evaluate("document.querySelector('audio').currentTime")
    page.locator("[data-seek]").press("ArrowLeft")
    playing(page)
    page.wait_for_timeout(1_000)
    assert page.evaluate("document.querySelector('audio').currentTime") < before - 2
    assert page.evaluate(APART, 0)["most"] < 0.05
    page.locator("[data-seek]").press(" ")
    expect(page.locator("[data-toggle]")).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("[...document.querySelectorAll('audio')].every((one) => one.paused)")


def test_a_later_start_is_shifted_into_step(compare):
    page = compare(1, 3)
    expect(page.locator("#compare-player")).to_contain_text("v3 is 0.40 s longer than v1")
    page.locator("[data-suggestion]").click()
    expect(page.locator("[data-offset]")).to_have_value("400")
    press_play(page)
    page.wait_for_timeout(1_000)
    page.locator("body").press("b")
    found = page.evaluate(APART, LATER_S)
    assert found["playing"]
    assert found["most"] < 0.05


def test_it_ends_at_the_end_of_what_both_have(compare):
    page = compare(1, 3)
    page.locator("[data-seek]").fill(str(SECONDS - 2))
    press_play(page)
    assert page.evaluate("document.querySelector('audio').currentTime") > SECONDS - 2.1
    expect(page.locator("[data-toggle]")).to_have_attribute("aria-pressed", "false")
    eventually(page, "document.querySelector('audio').currentTime < 0.1")


def test_gains_bring_both_to_the_quieter_one(compare):
    page = compare(1, 2)
    scripts = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    found = page.evaluate(
        """async (address) => {
          const { matchedGains, sharedStretch } = await import(address);
          return {
            gains: [[-14, -20], [-20, -14], [-9, -9], [NaN, -9]].map(matchedGains),
            stretches: [0, 1, -1, 60].map((offset) => sharedStretch([30, 31.5], offset)),
          };
        }""",
        next(name for name in scripts if "in_step" in name),
    )
    half = 10 ** (-6 / 20)
    expected = [[half, 1], [1, half], [1, 1], [1, 1]]
    np.testing.assert_allclose(found["gains"], expected, atol=1e-9)
    assert found["stretches"] == [[0, 30], [0, 30], [1, 30], [0, 0]]


@pytest.mark.parametrize(
    "context", [{"viewport": {"width": 390, "height": 844}, "has_touch": True}], indirect=True
)
def test_on_a_phone(compare):
    page = compare(1, 2)
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.get_by_role("button", name="Play", exact=True).locator("visible=true").tap()
    playing(page)
    page.locator("label:has([data-side][value='1'])").tap()
    expect(page.locator("[data-wave-row='1']")).to_have_class(re.compile("is-heard"))
    page.wait_for_timeout(500)
    assert page.evaluate(APART, 0)["most"] < 0.05
