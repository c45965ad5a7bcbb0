"""A real browser on a real site: the journeys that a person makes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests import map_seed
from tests.stack import Stack

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
]

# A busy machine is slow, not wrong.
expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder is a journey in a browser, and may take its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Without it journeys are skipped, but never where CI is set."""
    if not CHROMIUM.exists():
        reason = f"no browser at {CHROMIUM}: apt-get install chromium (or set CHROMIUM)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # Playwright keeps an event loop in this thread, which Django's database layer takes for async
    # code; a journey may still look into the database.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def live_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole product, as ``make run`` starts it, with an empty database of its own.

    ``live_site.url`` is its address. It is stopped at the end, and must leave nothing.
    """
    site = Stack(tmp_path_factory.mktemp("site") / "data")
    try:
        site.start()
        site.wait_ready()
        yield site
        assert site.stop() == 0, site.story()
        assert site.processes() == [], site.story()
    finally:
        site.end()


@pytest.fixture(scope="package")
def demo_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Like ``live_site``, with the demo discography loaded and its analysis under way."""
    site = Stack(tmp_path_factory.mktemp("demo") / "data", DEMO="1")
    try:
        site.start()
        site.wait_ready()
        yield site
    finally:
        site.end()


@pytest.fixture(scope="module")
def grouped_songs(live_site: Stack) -> Iterator[dict]:
    """Three groups of eight songs; jazz, metal, and nothing sure. The site is other journeys' too,
    so they go again."""
    made = map_seed.seed_in(live_site, tracks=24)
    yield made
    map_seed.clear_in(live_site, made)


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A fresh browser profile at a laptop's size; parametrize indirectly with other options."""
    options = {"viewport": {"width": 1440, "height": 900}, **getattr(request, "param", {})}
    context = browser.new_context(**options)
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose own errors fail the test: scripts that throw, and what the content security
    policy had to block."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"script error: {error}"))
    page.on(
        "console",
        lambda message: (
            errors.append(f"{message.text} ({message.location.get('url')})")
            if message.type == "error" and "Content Security Policy" in message.text
            else None
        ),
    )
    yield page
    page.close()
    assert not errors, "\n".join(errors)


def pytest_exception_interact(node: pytest.Item, report: pytest.TestReport) -> None:
    """Show the site's own logs beside a failed journey."""
    for name in ("live_site", "demo_site"):
        site = getattr(node, "funcargs", {}).get(name)
        if isinstance(site, Stack):
            report.sections.append((f"logs of {name}", site.story()))
