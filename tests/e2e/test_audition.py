"""Hearing the advised equaliser and taking it away, in a real browser."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect
from scipy import signal

from analysis.mixing.loudness_match import loudness_match_db
from analysis.sound.equaliser import Move, response_db, sections
from tests.e2e.test_journey import eventually, heard_song, open_report
from tests.stack import Stack

MOVES = [
    Move("bell", 310.0, -2.0, 1.2),
    Move("bell", 9_000.0, 3.0, 0.7),
    Move("low_shelf", 60.0, 3.0),
    Move("low_shelf", 250.0, -2.5),
    Move("high_shelf", 8_000.0, -3.0),
    Move("high_shelf", 2_000.0, 1.5),
]


@pytest.fixture(scope="module")
def report_url(browser, live_site: Stack) -> tuple[str, dict]:
    """A real song judged against a genre that it leaves in several places: (address, session)."""
    with heard_song(browser, live_site) as page:
        address = page.url.split("?")[0]
        options = page.locator("#target option").evaluate_all("all => all.map((one) => one.value)")
        moves = {}
        for target in options:
            page.goto(f"{address}?target={target}")
            moves[target] = page.locator("[data-move]").count()
        state = page.context.storage_state()
    assert max(moves.values()) >= 2, moves
    return f"{address}?target={max(moves, key=moves.get)}", state


@pytest.fixture
def report(report_url, page: Page) -> Page:
    return open_report(page, report_url)


def module_url(page: Page, name: str) -> str:
    """Address of a module, as the page itself loads it (its name may be hashed)."""
    scripts = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    return next(url for url in scripts if re.search(rf"/{name}(\.\w+)?\.js$", url))


def moves_on(page: Page) -> list[dict]:
    return json.loads(page.locator("#audition-data").text_content())["moves"]


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_the_browsers_filters_are_the_servers(report: Page, rate: int):
    plain = [
        {"type": move.type, "freq_hz": move.freq_hz, "q": move.q, "gain_db": move.gain_db}
        for move in MOVES
    ]
    heard = report.evaluate(
        """async ([url, moves, rate]) => {
          const { filterOf } = await import(url);
          const render = async (some) => {
            const context = new OfflineAudioContext(1, 4096, rate);
            const impulse = new AudioBuffer({ length: 4096, sampleRate: rate });
            impulse.getChannelData(0)[0] = 1;
            const source = new AudioBufferSourceNode(context, { buffer: impulse });
            [source, ...some.map((move) => filterOf(context, move)), context.destination]
              .reduce((from, to) => from.connect(to));
            source.start();
            return [...(await context.startRendering()).getChannelData(0)];
          };
          return Promise.all([...moves.map((move) => [move]), moves].map(render));
        }""",
        [module_url(report, "equaliser"), plain, rate],
    )
    impulse = np.zeros(4_096)
    impulse[0] = 1.0
    for some, found in zip([*([move] for move in MOVES), MOVES], heard, strict=True):
        wanted = signal.sosfilt(sections(some, rate), impulse)
        assert np.abs(wanted - np.array(found)).max() < 1e-4, some


def test_the_browser_works_at_the_sample_rate_of_the_file(report: Page):
    page_rate = json.loads(report.locator("#audition-data").text_content())["sample_rate"]
    graph = module_url(report, "audio_graph")
    report.locator("[data-hear=equalised]").click()
    rates = report.evaluate(
        """async (url) => {
          const { graphOf, preferRate } = await import(url);
          const at = (hertz) => {
            const audio = new Audio();
            if (hertz) preferRate(audio, hertz);
            return graphOf(audio).context.sampleRate;
          };
          const page = graphOf(document.querySelector("audio")).context.sampleRate;
          return { page, high: at(88200), low: at(22050), device: at(null) };
        }""",
        graph,
    )
    assert rates["page"] == page_rate
    assert rates["high"] == 88_200
    assert rates["low"] == rates["device"], "too low for some browsers"


def test_the_loudness_match_is_the_servers(report: Page, report_url):
    address = urlsplit(report_url[0])
    document = report.request.get(
        f"{address.scheme}://{address.netloc}{address.path}report.json"
    ).json()
    moves = moves_on(report)
    report.locator("[data-move]").nth(0).uncheck()
    report.locator("[data-amount]").fill("70")
    setting = report.evaluate(
        "async (url) => (await import(url)).audition().setting", module_url(report, "audition")
    )
    wanted = [0.0, *(0.7 * move["gain_db"] for move in moves[1:])]
    assert setting["gains"] == pytest.approx(wanted)
    rate = document["file"]["sample_rate"]
    server = [
        Move(move["type"], move["freq_hz"], 0.7 * move["gain_db"], move["q"]) for move in moves[1:]
    ]
    match_db = loudness_match_db(document["spectrum"], server, sample_rate=rate)
    assert setting["matchDb"] == pytest.approx(match_db, abs=0.02)
    assert f"by {abs(match_db):.1f} dB" in report.locator("[data-state]").inner_text()
    assert setting["roomDb"] <= 0


def test_a_and_b_are_switched_without_leaving_the_place(report: Page):
    original = report.locator("[data-hear=original]")
    equalised = report.locator("[data-hear=equalised]")
    expect(original).to_have_attribute("aria-pressed", "true")
    report.locator("[data-play-page]").click()
    expect(report.locator("[data-play-page]")).to_have_attribute("aria-label", "Pause")
    eventually(report, "document.querySelector('audio').currentTime > 0.3")
    before = report.evaluate("document.querySelector('audio').currentTime")
    equalised.click()
    expect(equalised).to_have_attribute("aria-pressed", "true")
    expect(original).to_have_attribute("aria-pressed", "false")
    assert report.evaluate("document.querySelector('audio').currentTime") - before < 5.0

    ways = """async (url) => {
      const { ways } = (await import(url)).audition();
      return { dry: ways.dry.gain.value, wet: ways.wet.gain.value, room: ways.room,
               gains: ways.filters.map((filter) => filter.gain.value), state: ways.context.state };
    }"""
    audition = module_url(report, "audition")
    report.wait_for_timeout(400)
    now = report.evaluate(ways, audition)
    assert now["state"] == "running"
    assert now["dry"] == pytest.approx(0.0, abs=1e-3)
    assert now["wet"] == pytest.approx(now["room"], abs=1e-3)
    assert now["gains"] == pytest.approx([move["gain_db"] for move in moves_on(report)], abs=0.02)

    report.locator("main").click(position={"x": 2, "y": 2})
    report.keyboard.press("b")
    expect(original).to_have_attribute("aria-pressed", "true")
    report.wait_for_timeout(300)
    now = report.evaluate(ways, audition)
    assert (now["dry"], now["wet"]) == pytest.approx((now["room"], 0.0), abs=1e-3)
    assert not report.evaluate("document.querySelector('audio').paused")


def test_both_ways_are_equally_loud(report: Page):
    """The song itself through both ways of the switch, K-weighted by scipy as BS.1770 says."""
    url, audition = report.locator("audio").get_attribute("src"), module_url(report, "audition")
    result = report.evaluate(
        """async ([url, equaliserUrl, auditionUrl]) => {
          const { filterOf } = await import(equaliserUrl);
          const { audition } = await import(auditionUrl);
          const { moves, setting } = audition();
          const bytes = await (await fetch(url)).arrayBuffer();
          const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes);
          const context = new OfflineAudioContext(2, sound.length, 48000);
          const source = new AudioBufferSourceNode(context, { buffer: sound });
          const level = new GainNode(context, { gain: 10 ** (setting.matchDb / 20) });
          [source, ...moves.map((move) => filterOf(context, move)), level, context.destination]
            .reduce((from, to) => from.connect(to));
          source.start();
          const out = await context.startRendering();
          const untouched = new OfflineAudioContext(2, sound.length, 48000);
          const plain = new AudioBufferSourceNode(untouched, { buffer: sound });
          plain.connect(untouched.destination);
          plain.start();
          const before = await untouched.startRendering();
          const text = (samples) => new Promise((resolve) => {
            const reader = new FileReader();
            reader.onload = () => resolve(reader.result.split(",")[1]);
            reader.readAsDataURL(new Blob([samples]));
          });
          const sides = (one) => [0, 1].map((side) => text(one.getChannelData(side)));
          return Promise.all([before, out].flatMap(sides));
        }""",
        [url, module_url(report, "equaliser"), audition],
    )
    import pyloudnorm

    meter = pyloudnorm.Meter(48_000)
    left, right, *equalised_sides = (np.frombuffer(b64decode(side), "<f4") for side in result)
    original = meter.integrated_loudness(np.stack([left, right], axis=1))
    equalised = meter.integrated_loudness(np.stack(equalised_sides, axis=1))
    assert equalised == pytest.approx(original, abs=0.2)


def test_what_is_saved_is_what_is_set(report: Page, tmp_path):
    key = moves_on(report)[0]["key"]
    report.locator(f'[data-move="{key}"]').uncheck()
    report.locator("[data-amount]").fill("50")
    for anchor in report.locator("[data-export]").all():
        query = parse_qs(urlsplit(anchor.get_attribute("href")).query)
        assert (query["amount"], query["off"]) == (["50"], [key])
        assert query["target"] == [report.locator("#target").input_value()]
    with report.expect_download() as download:
        report.locator("[data-wav]").click()
    name = download.value.suggested_filename
    assert re.fullmatch(r"The Journey - .+ \(equalised\)\.wav", name)
    download.value.save_as(tmp_path / "out.wav")
    expect(report.locator("[data-render]")).to_contain_text("Saved")
    info = soundfile.info(tmp_path / "out.wav")
    assert info.subtype == "PCM_24"
    with report.expect_download() as download:
        report.get_by_role("link", name="Equalizer APO").click()
    lines = download.value.path().read_text().splitlines()
    assert [line.split()[2] for line in lines[1:3]] == ["OFF", "ON"]


def test_the_curve_is_drawn_as_the_server_computes_it(report: Page):
    moves = [
        Move(move["type"], move["freq_hz"], move["gain_db"], move["q"]) for move in moves_on(report)
    ]
    line = report.locator("[data-curve-line]").get_attribute("d")
    points = np.array([[float(v) for v in pair.split()] for pair in line[1:].split("L")])
    half = float(report.locator("[data-curve]").get_attribute("data-range"))
    hz = 20.0 * 1_000.0 ** (points[:, 0] / 1_000.0)
    drawn = (50.0 - points[:, 1]) * half / 50.0
    assert drawn == pytest.approx(response_db(moves, np.minimum(hz, 23_900), 48_000), abs=0.05)


def test_another_target_brings_its_own_moves_and_the_sound_goes_on(report: Page):
    report.locator("[data-hear=equalised]").click()
    report.locator("[data-play-page]").click()
    eventually(report, "document.querySelector('audio').currentTime > 0.2")
    before = [move["freq_hz"] for move in moves_on(report)]
    for target in report.locator("#target option").evaluate_all("all => all.map((o) => o.value)"):
        if target == report.locator("#target").input_value():
            continue
        with report.expect_response(lambda answer: "target=" in answer.url):
            report.locator("#target").select_option(target)
        expect(report.locator("#target")).to_have_value(target)
        report.wait_for_timeout(300)
        if report.locator("[data-audition]").count():
            expect(report.locator("[data-hear=original]")).to_have_attribute("aria-pressed", "true")
            if [move["freq_hz"] for move in moves_on(report)] != before:
                break
    assert not report.evaluate("document.querySelector('audio').paused")
    report.locator("[data-hear=equalised]").click()
    expect(report.locator("[data-hear=equalised]")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(
    "context", [{"viewport": {"width": 390, "height": 844}, "has_touch": True}], indirect=True
)
def test_it_works_by_touch_on_a_phone(report: Page):
    report.locator("[data-hear=equalised]").tap()
    expect(report.locator("[data-hear=equalised]")).to_have_attribute("aria-pressed", "true")
    wide = report.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    box = report.locator("[data-hear=equalised]").bounding_box()
    assert box["height"] >= 40


@pytest.mark.parametrize("context", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_it_can_still_be_saved(report_url, page: Page):
    url, state = report_url
    page.context.add_cookies(state["cookies"])
    page.goto(url)
    expect(page.locator("#audition")).to_contain_text("needs JavaScript")
    expect(page.locator("[data-hear=equalised]")).to_be_hidden()
    expect(page.locator("[data-amount]")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("link", name="Report as PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
