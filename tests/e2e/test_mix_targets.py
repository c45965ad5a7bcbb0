"""A target of one's own tracks, chosen on the page of another one."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.test_journey import REPORT_MS, SONGS, sign_up, upload
from tests.stack import Stack


def test_a_mix_is_compared_with_chosen_tracks(page: Page, live_site: Stack):
    sign_up(page, live_site)
    upload(page, live_site, SONGS[:2])
    page.goto(f"{live_site.url}/upload/")
    page.check("[data-reference]")
    page.locator("[data-files]").set_input_files(SONGS[2])
    expect(page.locator("[data-list] a[data-open]:visible")).to_have_count(1)

    page.goto(f"{live_site.url}/library/")
    own = page.locator("#library-results tbody tr")
    expect(own).to_have_count(2)
    page.select_option("#filter-show", "everything")
    expect(own).to_have_count(3)
    reference = own.filter(has_text="Reference").locator(".table__title a")
    addresses = {link.get_attribute("href") for link in own.locator(".table__title a").all()}
    reference_address = reference.get_attribute("href")
    first, second = sorted(addresses - {reference_address})
    for address in (first, second, reference_address):
        page.goto(f"{live_site.url}{address}")
        expect(page.locator("#balance")).to_be_visible(timeout=REPORT_MS)

    page.goto(f"{live_site.url}{first}")
    page.click("text=Manage targets")
    expect(page.locator("h1")).to_have_text("Mix targets")
    page.click("text=Chosen tracks")
    page.fill("[name=name]", "Night drive")
    title = page.locator("[data-pick-row]", has_text="Reference").locator("[data-pick-title]")
    page.fill("[data-pick-search]", title.inner_text()[:12])
    rows = page.locator("[data-pick-row]:visible")
    expect(rows).to_have_count(1)
    rows.locator("[name=track]").check()
    rows.locator("[type=number]").fill("2.5")
    page.fill("[data-pick-search]", "")
    expect(rows).to_have_count(3)
    page.locator(f"#track-{re.findall(r'[0-9a-f-]{36}', first)[0]}").check()
    expect(page.locator("[data-pick-count]")).to_have_text("2 of 3 chosen")
    page.click("text=Make target")
    expect(page.locator(".targets")).to_contain_text("× 2.5")
    expect(page.locator(".targets")).to_contain_text("2 tracks")

    page.goto(f"{live_site.url}{second}")
    page.select_option("#target", label="Night drive")
    expect(page.locator("#balance")).to_contain_text("against your target “Night drive”")
    expect(page.locator("#findings")).to_contain_text("“Night drive”")
    assert "target=own" in page.url
    with page.expect_download() as download:
        page.goto(f"{live_site.url}/targets/")
        page.click("text=JSON")
    assert download.value.suggested_filename == "Night drive (mix target).json"
