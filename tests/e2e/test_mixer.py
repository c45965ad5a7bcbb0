"""The mixer of a track's stems in a real browser: what is heard is the mix, sample for sample."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import av
import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, Route, expect

from analysis.mixing.stem_mix import gains, parse
from tests.e2e.mixer_page import STRETCH, desk, folder_of, manifest_of, rendered
from tests.e2e.test_journey import SONGS, eventually, no_overflow, sign_up, upload  # noqa: F401
from tests.stack import Stack

RATE = 44_100
SECONDS = 12
STEMS_MS = 180_000
LSB = 1 / 32_768
MIX = {
    "stems": {
        "vocals": {"gain_db": 0.0, "pan": 0.0, "mute": True, "solo": False},
        "drums": {"gain_db": -4.5, "pan": -0.6, "mute": False, "solo": False},
        "bass": {"gain_db": 1.0, "pan": 0.25, "mute": False, "solo": False},
        "other": {"gain_db": -60.0, "pan": 1.0, "mute": False, "solo": False},
    },
    "master_db": -2.0,
}


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of a real song at 44.1 kHz, 16 bit."""
    pieces = []
    with av.open(str(SONGS[2])) as container:
        resampler = av.AudioResampler("flt", "stereo", RATE)
        for frame in container.decode(audio=0):
            pieces += [one.to_ndarray().reshape(-1, 2) for one in resampler.resample(frame)]
            if sum(map(len, pieces)) >= SECONDS * RATE:
                break
    path = tmp_path_factory.mktemp("song") / "Twelve seconds.wav"
    soundfile.write(path, np.concatenate(pieces)[: SECONDS * RATE], RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def separated(browser: Browser, live_site: Stack, song: Path) -> Iterator[tuple[str, dict]]:
    """Address of the stems' page of a separated song, and the browser's state."""
    context = browser.new_context()
    context.set_default_timeout(30_000)
    page = context.new_page()
    sign_up(page, live_site)
    upload(page, live_site, [song])
    page.locator("[data-list] a[data-open]").first.click()
    page.wait_for_url("**/tracks/**")
    page.get_by_role("navigation", name="Pages of this track").get_by_text("Stems").click()
    expect(page.locator("#engines")).to_contain_text("Separation turns the finished mix back")
    page.get_by_role("button", name="Separate with Starter").click()
    expect(page.locator("#stems-job progress")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.locator("#mixer")).to_be_visible(timeout=STEMS_MS)
    yield page.url, context.storage_state()
    context.close()


@pytest.fixture
def mixer(separated: tuple[str, dict], page: Page) -> Page:
    url, state = separated
    page.context.add_cookies(state["cookies"])
    page.goto(url)
    expect(page.locator("[data-toggle]")).to_be_enabled()
    return page


def test_all_stems_together_are_the_mix(mixer: Page, song: Path, tmp_path: Path):
    manifest = manifest_of(mixer)
    assert [len(stem["chunks"]) for stem in manifest["stems"]] == [2] * 4, "one seam at 10 s"
    heard = rendered(mixer, {}, count=11 * RATE)
    kept = np.zeros((SECONDS * RATE, 2))
    for stem in manifest["stems"]:
        path = tmp_path / f"{stem['name']}.flac"
        path.write_bytes(mixer.request.get(urljoin(mixer.url, stem["download_url"])).body())
        kept += soundfile.read(path)[0]
    kept *= 10 ** (-manifest["lowered_db"] / 20)
    # Four roundings and four dithers of up to one step each.
    assert np.abs(heard - kept[: 11 * RATE]).max() < 4 * 1.5 * LSB + 1e-6
    mix = soundfile.read(song)[0][: 11 * RATE]
    error_db = 20 * np.log10(np.std(heard - mix) / np.std(mix))
    assert error_db < -60


def test_levels_are_the_servers(mixer: Page):
    generator = np.random.default_rng(4)
    names = ["vocals", "drums", "bass", "other", "guitar", "piano"]
    mixes = [
        {
            "stems": {
                name: {
                    "gain_db": float(generator.uniform(-60, 6)),
                    "pan": float(generator.choice([-1.0, 0.0, 1.0, generator.uniform(-1, 1)])),
                    "mute": bool(generator.random() < 0.25),
                    "solo": bool(generator.random() < 0.15),
                }
                for name in names
            },
            "master_db": float(generator.uniform(-60, 6)),
        }
        for _ in range(40)
    ]
    found = mixer.evaluate(
        """async ([folder, mixes, names]) => {
          const { stemGains } = await import(`${folder}/mixer_levels.js`);
          return mixes.map((mix) => stemGains(mix, names));
        }""",
        [folder_of(mixer), mixes, names],
    )
    for mix, theirs in zip(mixes, found, strict=True):
        assert np.array(theirs) == pytest.approx(gains(parse(mix), names), abs=1e-12)


@pytest.mark.parametrize("speed", [0.75, 1.5])
def test_another_speed_keeps_the_pitch(mixer: Page, speed: float):
    heard = np.array(mixer.evaluate(STRETCH, [folder_of(mixer), speed, 3]))
    assert len(heard) / RATE == pytest.approx(3 / speed, abs=0.04)
    steady = heard[RATE // 4 : -RATE // 4]
    up = np.flatnonzero((steady[:-1] < 0) & (steady[1:] >= 0))
    places = up - steady[up] / (steady[up + 1] - steady[up])
    assert RATE * (len(places) - 1) / (places[-1] - places[0]) == pytest.approx(440, abs=1)
    assert np.abs(steady).max() == pytest.approx(20_000 * LSB, rel=0.02)
    # No step at the joints: nowhere steeper than the sine itself.
    assert np.abs(np.diff(steady)).max() < 1.05 * 20_000 * LSB * 2 * np.pi * 440 / RATE


def test_keys_and_a_loop_while_it_plays(mixer: Page):
    mixer.locator("main").click(position={"x": 2, "y": 2})
    mixer.keyboard.press("Space")
    expect(mixer.locator("[data-toggle]")).to_have_attribute("aria-label", "Pause")
    eventually(mixer, "Number(document.querySelector('[data-seek]').value) > 0.5")
    drums = mixer.get_by_role("group", name="Drums")
    mixer.keyboard.press("Shift+Digit2")
    expect(drums.get_by_role("button", name="Solo")).to_have_attribute("aria-pressed", "true")
    mixer.wait_for_timeout(500)
    peaks = np.array(desk(mixer, "desk.player.status.peaks"))
    assert peaks[1].max() > 0.01
    assert peaks[[0, 2, 3]].max() == 0.0
    mixer.keyboard.press("Digit2")
    mixer.wait_for_timeout(500)
    assert np.array(desk(mixer, "desk.player.status.peaks")).max() == 0.0, "a mute beats a solo"

    wave = drums.locator("[data-wave]")
    wave.scroll_into_view_if_needed()
    box = wave.bounding_box()
    mixer.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20)
    mixer.mouse.down()
    mixer.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 20, steps=4)
    mixer.mouse.up()
    expect(mixer.locator("[data-loop-text]")).to_have_text(re.compile(r"0:0[56]\.\d – 0:07\.\d"))
    places = []
    for _ in range(20):
        mixer.wait_for_timeout(150)
        places.append(desk(mixer, "desk.player.position"))
    assert min(places) >= 5.8
    assert max(places) <= 7.4
    assert any(later < before for before, later in itertools.pairwise(places))
    mixer.keyboard.press("Space")
    expect(mixer.locator("[data-toggle]")).to_have_attribute("aria-label", "Play")
    level = drums.get_by_role("slider", name="Level")
    level.press("ArrowLeft")
    expect(level).to_have_attribute("aria-valuetext", "−0.5 dB")
    level.dblclick()
    expect(level).to_have_attribute("aria-valuetext", "0.0 dB")


def test_pieces_that_fail_are_fetched_again(mixer: Page):
    last = {stem["chunks"][1] for stem in manifest_of(mixer)["stems"]}
    refused: list[str] = []

    def handle(route: Route) -> None:
        path = route.request.url
        if any(path.endswith(url) for url in last) and refused.count(path) < 2:
            refused.append(path)
            route.abort()
        else:
            route.continue_()

    mixer.context.route("**/stems/*/files/**", handle)
    mixer.locator("[data-seek]").fill("9.5")
    mixer.locator("[data-toggle]").click()
    eventually(mixer, "Number(document.querySelector('[data-seek]').value) > 11")
    assert len(refused) >= 4
    expect(mixer.locator("[data-problem]")).to_be_hidden()


def test_a_mix_is_saved_and_rendered_as_it_is_heard(mixer: Page, tmp_path: Path):
    desk(mixer, f"desk.apply({json.dumps(MIX)})")
    drums = mixer.get_by_role("group", name="Drums")
    expect(drums.get_by_role("slider", name="Pan")).to_have_attribute("aria-valuetext", "60 % left")
    mixer.get_by_label("Name of the mix").fill("For the stage")
    mixer.get_by_role("button", name="Save this mix").click()
    saved = mixer.get_by_role("button", name="For the stage", exact=True)
    expect(saved).to_have_attribute("aria-pressed", "true")

    mixer.reload()
    expect(saved).to_have_attribute("aria-pressed", "false")
    saved.click()
    assert desk(mixer, "desk.settings") == MIX
    mixer.get_by_role("button", name="Rename For the stage").click()
    mixer.get_by_label("New name").fill("Rehearsal")
    mixer.get_by_role("button", name="Rename", exact=True).click()
    expect(mixer.get_by_role("button", name="Rehearsal", exact=True)).to_be_visible()

    mixer.get_by_label("Format").select_option("wav")
    with mixer.expect_download() as download:
        mixer.get_by_role("button", name="Render this mix").click()
    assert (
        download.value.suggested_filename
        == "The Journey - Twelve seconds (Rehearsal) [starter].wav"
    )
    download.value.save_as(tmp_path / "mix.wav")
    expect(mixer.locator("[data-render-message]")).to_contain_text("Saved as loud as you hear it")
    file, rate = soundfile.read(tmp_path / "mix.wav")
    assert rate == RATE
    # Across the seam of two pieces; the first 5 ms fade in.
    start, count, fade = int(9.5 * RATE), RATE, 256
    heard = rendered(mixer, MIX, start=start, count=count)
    assert np.abs(heard - file[start : start + count])[fade:].max() < 4 * 1.5 * LSB * 1.5

    mixer.get_by_role("button", name="Delete Rehearsal").click()
    mixer.get_by_role("button", name="Delete", exact=True).click()
    expect(mixer.locator("[data-mixes-empty]")).to_be_visible()
    assert manifest_of(mixer)["mixes"] == []


@pytest.mark.parametrize(
    "context",
    [{"viewport": {"width": 390, "height": 844}, "has_touch": True}],
    indirect=True,
    ids=["phone"],
)
def test_on_a_phone(mixer: Page, no_overflow):  # noqa: F811
    no_overflow()
    mixer.get_by_role("button", name="A cappella").first.tap()
    expect(mixer.get_by_role("group", name="Vocals").get_by_text("Solo")).to_have_attribute(
        "aria-pressed", "true"
    )
    wave = mixer.get_by_role("group", name="Bass").locator("[data-wave]")
    wave.scroll_into_view_if_needed()
    box = wave.bounding_box()
    mixer.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(mixer.locator("[data-now]")).to_have_text("0:06")
    transport = mixer.locator("[data-toggle]").bounding_box()
    assert 0 <= transport["y"] <= 844 - transport["height"], "the play button stays in reach"
