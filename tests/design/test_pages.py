"""Templates that must hold without the rest: errors, job states, empty findings, static files."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.http import HttpRequest
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory

ROOT = settings.BASE_DIR / "templates"


@pytest.fixture
def request_of_a_visitor(rf: RequestFactory) -> HttpRequest:
    request = rf.get("/somewhere/")
    request.user = AnonymousUser()
    return request


@pytest.mark.parametrize(
    "name", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.html"))
)
def test_template_compiles(name: str) -> None:
    get_template(name)


@pytest.mark.parametrize("code", ["400", "403", "403_csrf", "404", "413", "429"])
def test_error_page_says_what_to_do_next(code: str, request_of_a_visitor: HttpRequest) -> None:
    page = render_to_string(f"{code}.html", request=request_of_a_visitor)
    assert "<h1>" in page
    assert 'href="/"' in page


def test_the_page_for_a_broken_server_needs_no_context() -> None:
    assert "your files are safe" in get_template("500.html").render()


def job(state: str, **fields: object) -> dict[str, object]:
    track = SimpleNamespace(pk=uuid.uuid4())
    defaults = {"pk": uuid.uuid4(), "percent": 0, "message": "", "attempts": 1, "reason": ""}
    return {
        "job": SimpleNamespace(state=state, **{**defaults, **fields}),
        "track": track,
        "revision": SimpleNamespace(number=2),
        "is_owner": True,
    }


def test_a_queued_job_shows_its_place_and_wait_and_asks_again() -> None:
    page = render_to_string(
        "analysis/_job.html", {**job("queued"), "queue_position": 3, "estimated_s": 24}
    )
    assert "Number 3 in line" in page
    assert "About 24 seconds" in page
    assert 'hx-trigger="every 2s"' in page
    assert "?revision=2" in page


def test_a_running_job_shows_percent_and_message() -> None:
    page = render_to_string(
        "analysis/_job.html", job("running", percent=40, message="Measuring loudness")
    )
    assert 'value="40"' in page
    assert "Measuring loudness" in page


def test_a_failed_job_gives_its_reason_and_a_retry_and_stops_asking() -> None:
    context = job("failed", reason="The file is cut off. Export it again.")
    page = render_to_string("analysis/_job.html", context)
    assert "The file is cut off. Export it again." in page
    assert f"/jobs/{context['job'].pk}/retry/" in page
    assert "hx-trigger" not in page


def test_only_the_owner_may_retry() -> None:
    page = render_to_string("analysis/_job.html", {**job("failed"), "is_owner": False})
    assert "retry" not in page


def test_no_findings_is_good_news_not_a_blank() -> None:
    page = render_to_string("analysis/_findings.html", {"doc": {"mix": {"findings": []}}})
    assert "Nothing outside the corridor" in page


def test_hostile_titles_are_escaped() -> None:
    page = render_to_string(
        "components/play_button.html", {"url": "/a", "title": '"><script>alert(1)</script>'}
    )
    assert "<script>" not in page


def test_static_files_can_be_hashed_and_refer_to_each_other(
    tmp_path: Path, settings: SimpleNamespace
) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    call_command("collectstatic", verbosity=0, interactive=False)
    css = (tmp_path / staticfiles_storage.stored_name("css/site.css")).read_text()
    assert staticfiles_storage.stored_name("css/tokens.css").rpartition("/")[2] in css
