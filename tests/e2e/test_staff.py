"""Staff at work: log-in through the site's own page, then the admin, under the strict policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.stack import Stack

PASSWORD = "a-long-Passphrase-7"


@pytest.fixture
def staff(live_site: Stack) -> str:
    """A superuser's e-mail address."""
    email = "chief@example.org"
    live_site.manage(
        "shell",
        "--no-imports",
        "-c",
        "from catalog.models import User\n"
        f"if not User.objects.filter(email='{email}').exists():\n"
        f"    User.objects.create_superuser('{email}', '{PASSWORD}')",
    )
    return email


def test_admin_works_in_the_browser(live_site: Stack, page: Page, staff: str) -> None:
    page.goto(f"{live_site.url}/admin/")
    expect(page).to_have_url(f"{live_site.url}/accounts/login/?next=%2Fadmin%2F")
    page.fill("input[name=login]", staff)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    expect(page).to_have_url(f"{live_site.url}/admin/")

    page.goto(f"{live_site.url}/admin/catalog/user/")
    expect(page.locator("#result_list")).to_contain_text(staff)
    page.get_by_role("link", name=staff).first.click()
    expect(page.locator("#user_form")).to_be_visible()
    # The admin's own scripts run: its styles, date pickers and selectors come from files.
    header = page.locator("#header")
    assert header.evaluate("e => getComputedStyle(e).backgroundColor") != "rgba(0, 0, 0, 0)"


def test_health_addresses_answer_the_real_site(live_site: Stack) -> None:
    assert set(live_site.checks()) == {"database", "queue", "storage", "models"}
    assert set(live_site.checks().values()) == {"ok"}
