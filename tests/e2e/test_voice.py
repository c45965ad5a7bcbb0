"""The voice of a song in a real browser: where it is rough, and how it would sound bright."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.test_compare import LISTEN, TAP
from tests.e2e.test_journey import eventually
from tests.stack import Stack

# A song with stems and a voice report, as their jobs leave them; and somebody who is logged in.
SEED = """
import json
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from tests import voices
from tests.factories import ArtistFactory, RevisionFactory, TrackFactory
artist = ArtistFactory(name="Ada")
revision = RevisionFactory(track=TrackFactory(artist=artist, title="Lemon Tree"))
voice = voices.sung(12.0)
voices.stems_report(revision, {"vocals": voice, "other": 0.2 * voice[::-1]})
clips = [voices.clip(0.5), voices.clip(5.0, rough=0.9), voices.clip(9.2, 2.5)]
voices.voice_report(revision, voices.document(clips, duration_s=12.0))
session = SessionStore()
session[SESSION_KEY] = str(artist.user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = artist.user.get_session_auth_hash()
session.save()
print(json.dumps([str(revision.track_id), settings.SESSION_COOKIE_NAME, session.session_key]))
"""


@pytest.fixture(scope="module")
def song(live_site: Stack) -> tuple[str, dict]:
    """Address of the voice's page, and the cookie of its owner."""
    answer = live_site.manage("shell", "--no-imports", "-c", SEED).strip().splitlines()[-1]
    track_id, name, value = json.loads(answer)
    cookie = {"name": name, "value": value, "url": live_site.url}
    return f"{live_site.url}/tracks/{track_id}/voice/", cookie


@pytest.fixture
def voice(context: BrowserContext, page: Page, song) -> Page:
    address, cookie = song
    context.add_cookies([cookie])
    page.add_init_script(TAP)
    page.goto(address)
    eventually(page, "document.querySelector('audio').readyState >= 1")
    return page


def set_range(page: Page, name: str, value: int) -> None:
    page.locator(f"#amount-{name}").fill(str(value))


def test_from_a_tag_to_where_it_is_and_to_another_sound(voice: Page):
    expect(voice.locator("#tags")).to_contain_text("Clearly bright")
    # Where is it rough? In the second clip: a press there plays it from its beginning.
    voice.get_by_role("radio", name="Rough").check(force=True)
    strip = voice.locator("[data-strip=rough]")
    expect(strip).to_be_visible()
    expect(voice.locator("[data-strip=bright]")).to_be_hidden()
    box = strip.bounding_box()
    voice.mouse.click(box["x"] + box["width"] * 7.0 / 12.0, box["y"] + box["height"] / 2)
    eventually(voice, "!document.querySelector('audio').paused")
    at_s = voice.evaluate("document.querySelector('audio').currentTime")
    assert 4.9 <= at_s < 7.0

    # Brighter, from the server; the page's own player gives way to it.
    set_range(voice, "bright", 100)
    expect(voice.locator("#voice-steps")).to_contain_text("High shelf 3000 Hz, +5.5 dB")
    voice.locator("[data-preview-play]").click()
    expect(voice.locator("[data-preview-state]")).to_contain_text("As loud as before")
    assert voice.evaluate("document.querySelector('audio').paused")
    changed = voice.evaluate(LISTEN)
    voice.keyboard.press("b")
    expect(voice.locator("[data-hear=original]")).to_have_attribute("aria-pressed", "true")
    # The original is fetched first, and fades in.
    eventually(
        voice, "document.querySelector('[data-preview-state]').textContent !== 'Rendering …'"
    )
    voice.wait_for_timeout(1_000)
    original = voice.evaluate(LISTEN)
    assert changed["brightness"] - original["brightness"] > 3.0
    assert abs(changed["level"] - original["level"]) < 2.0
    href = voice.locator("[data-settings]").first.get_attribute("href")
    assert "bright=100" in href
    text = voice.request.get(href).text()
    assert "Bright 100 %" in text


@pytest.mark.parametrize("context", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
def test_on_a_phone_in_the_mix(voice: Page):
    wide = voice.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    set_range(voice, "breathy", 60)
    voice.get_by_text("In the mix").click()
    voice.locator("[data-preview-play]").click()
    expect(voice.locator("[data-preview-state]")).to_contain_text("As loud as before")
    voice.locator("[data-preview-play]").click()
    expect(voice.locator("[data-preview-play]")).to_have_attribute("aria-label", "Play the preview")
