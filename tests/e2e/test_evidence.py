"""Seeing and hearing what speaks for a genre, in a real browser."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from scipy import signal

from tests.e2e.test_journey import eventually, heard_song, open_report
from tests.stack import Stack


@pytest.fixture(scope="module")
def report_url(browser, live_site: Stack) -> tuple[str, dict]:
    """The report of a real song, and somebody who may see it: (address, the browser's state)."""
    with heard_song(browser, live_site) as page:
        return page.url, page.context.storage_state()


@pytest.fixture
def report(report_url, page: Page) -> Page:
    return open_report(page, report_url)


def module_url(page: Page) -> str:
    """Address of the listening module, as the page itself loads it (its name may be hashed)."""
    scripts = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    return next(name for name in scripts if "band_listening" in name)


def test_the_keyboard_switches_between_three_genres(report: Page):
    choices = report.locator("[data-evidence-choice]")
    expect(choices).to_have_count(3)
    sentences = []
    for number in range(3):
        if number == 0:
            choices.first.focus()
        else:
            report.keyboard.press("ArrowRight")
        expect(choices.nth(number)).to_be_checked()
        expect(report.locator(".evidence:visible")).to_have_count(1)
        sentences.append(report.locator(".evidence:visible .evidence__sentence").inner_text())
        picture = report.locator(".timeline__heat:visible")
        expect(picture).to_have_count(1)
        name = "heat" if number == 0 else f"heat-{number + 1}"
        assert f"/{name}.png" in picture.get_attribute("src")
    assert len(set(sentences)) == 3


def test_a_region_is_looped_and_is_as_loud_as_the_mix(report: Page):
    button = report.locator("[data-region]:visible").first
    start, end = (float(button.get_attribute(f"data-{name}")) for name in ("start", "end"))
    button.focus()
    report.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(report.locator(".timeline__regions rect.is-chosen")).to_have_count(1)
    state = report.locator("[data-listening-state]:visible")
    expect(state).to_have_text(re.compile("^Equally loud: "))
    # Round once: it comes back to the beginning by itself.
    report.evaluate(f"document.querySelector('audio').currentTime = {end - 0.4}")
    eventually(report, f"document.querySelector('audio').currentTime < {end - 0.8}")
    assert report.evaluate("document.querySelector('audio').currentTime") >= start - 0.1

    # The switch to the full mix goes on where the band was.
    mix = report.get_by_role("button", name="Full mix").locator("visible=true")
    jump = mix.evaluate(
        """(button) => {
          const audio = document.querySelector("audio");
          const before = audio.currentTime;
          button.click();
          return audio.currentTime - before;
        }"""
    )
    assert jump == pytest.approx(0, abs=0.05)
    expect(mix).to_have_attribute("aria-pressed", "true")
    assert not report.evaluate("document.querySelector('audio').paused")

    # Elsewhere on the timeline: back to the whole sound there.
    report.locator("[data-player-toggle]").hover()
    box = report.locator("[data-wave]").bounding_box()
    there = 0.05 if start > 5 else 0.95
    report.mouse.click(box["x"] + there * box["width"], box["y"] + 20)
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(state).to_have_count(0)


def test_a_press_on_a_hot_place_of_the_picture_chooses_it(report: Page):
    report.locator("#player").scroll_into_view_if_needed()
    box = report.locator(".timeline__regions:visible rect").first.bounding_box()
    report.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(report.locator("[data-region][aria-pressed=true]")).to_have_count(1)
    report.keyboard.press("Escape")
    expect(report.locator("[data-region][aria-pressed=true]")).to_have_count(0)


def test_the_band_pass_is_an_eighth_order_butterworth(report: Page):
    """Its impulse response, rendered by the browser, against scipy's filter."""
    low, high, rate = 200.0, 2_000.0, 44_100
    response = report.evaluate(
        """async ([address, low, high, rate]) => {
          const { bandPass } = await import(address);
          const context = new OfflineAudioContext(1, rate, rate);
          const impulse = new AudioBuffer({ length: rate, sampleRate: rate });
          impulse.getChannelData(0)[0] = 1;
          const source = new AudioBufferSourceNode(context, { buffer: impulse });
          const pass = bandPass(context, low, high);
          source.connect(pass.input);
          pass.output.connect(context.destination);
          source.start();
          return [...(await context.startRendering()).getChannelData(0)];
        }""",
        [module_url(report), low, high, rate],
    )
    drawn = 20 * np.log10(np.abs(np.fft.rfft(response)) + 1e-9)  # one bin is one hertz
    sections = np.concatenate(
        [
            signal.butter(8, low, "highpass", fs=rate, output="sos"),
            signal.butter(8, high, "lowpass", fs=rate, output="sos"),
        ]
    )
    hertz = np.array([60, 100, 150, 200, 250, 700, 1_500, 2_000, 2_500, 4_000, 8_000])
    _, expected = signal.sosfreqz(sections, worN=hertz, fs=rate)
    np.testing.assert_allclose(drawn[hertz], 20 * np.log10(np.abs(expected)), atol=0.3)


def test_the_weighting_is_that_of_the_loudness_standard(report: Page):
    """Against the coefficients that ITU-R BS.1770-4 tabulates for 48 kHz."""
    rate = 48_000
    response = report.evaluate(
        """async ([address, rate]) => {
          const { weighting } = await import(address);
          const context = new OfflineAudioContext(1, rate, rate);
          const impulse = new AudioBuffer({ length: rate, sampleRate: rate });
          impulse.getChannelData(0)[0] = 1;
          const source = new AudioBufferSourceNode(context, { buffer: impulse });
          const k = weighting(context);
          source.connect(k.input);
          k.output.connect(context.destination);
          source.start();
          return [...(await context.startRendering()).getChannelData(0)];
        }""",
        [module_url(report), rate],
    )
    shelf = (
        [1.53512485958697, -2.69169618940638, 1.19839281085285],
        [
            1.0,
            -1.69065929318241,
            0.73248077421585,
        ],
    )
    high_pass = [1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621]
    hertz = np.array([40, 60, 100, 250, 1_000, 2_000, 4_000, 8_000])
    expected = sum(
        20 * np.log10(np.abs(signal.freqz(*stage, worN=hertz, fs=rate)[1]))
        for stage in (shelf, high_pass)
    )
    drawn = 20 * np.log10(np.abs(np.fft.rfft(response))[hertz])
    np.testing.assert_allclose(drawn, expected, atol=0.1)


def test_both_ways_sound_equally_loud(report: Page):
    """The listener's own way through a real element: its gains, judged by an independent render."""
    levels = report.evaluate(
        """async ([address, low, high]) => {
          const { bandPass, weighting, match, decibels } = await import(address);
          const file = await (await fetch(document.querySelector("audio").src)).arrayBuffer();
          const rate = 44100;
          const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(file);
          const render = async (make) => {
            const context = new OfflineAudioContext(1, sound.length, rate);
            const source = new AudioBufferSourceNode(context, { buffer: sound });
            const end = make(context, source);
            end.connect(context.destination);
            source.start();
            return (await context.startRendering()).getChannelData(0);
          };
          const weigh = (context, node) => {
            const k = weighting(context);
            node.connect(k.input);
            return k.output;
          };
          const band = (context, source) => {
            const pass = bandPass(context, low, high);
            source.connect(pass.input);
            return pass.output;
          };
          const rms = (x) => Math.sqrt(x.reduce((sum, one) => sum + one * one, 0) / x.length);
          const mix = rms(await render(weigh));
          const weighed = (context, source) => weigh(context, band(context, source));
          const part = rms(await render(weighed));
          const peak = (await render(band)).reduce((most, one) => Math.max(most, Math.abs(one)), 0);
          const gains = match(mix, part, peak);
          return {
            apart: decibels(mix * gains.mix) - decibels(part * gains.band),
            peak: peak * gains.band,
            before: decibels(mix) - decibels(part),
            gains,
          };
        }""",
        [module_url(report), 3_000, 6_000],
    )
    assert levels["before"] > 3, json.dumps(levels)
    assert abs(levels["apart"]) < 0.1, json.dumps(levels)
    assert levels["peak"] < 1.0, json.dumps(levels)
