"""What a browser is told, what strangers are refused, and what production demands."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import User

BASE_DIR = Path(__file__).resolve().parents[2]
PAGES = ["/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/nowhere/"]
ADMIN_PAGES = ["/admin/", "/admin/catalog/user/", "/admin/catalog/user/add/"]
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>"  # scripts without a source
    r"|<style\b"
    r"|<[^>]+\sstyle=[\"']"
    r"|<[^>]+\son[a-z]+=[\"']",
    re.IGNORECASE,
)


@pytest.fixture
def admin(db) -> User:
    return User.objects.create_superuser("chief@example.org", "a-long-Passphrase-7")


def manage(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A management command in a process with exactly these settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "DATA_DIR") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_deployment_check_is_clean_in_production():
    done = manage(
        "check",
        "--deploy",
        "--fail-level=INFO",
        PRODUCTION="1",
        DATABASE_URL="postgresql://site:secret@db.internal/site",
        SECRET_KEY=secrets.token_urlsafe(64),
        ALLOWED_HOSTS="music.example.org",
    )
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


def test_demo_does_not_exist_beside_a_real_database():
    script = "from django.conf import settings; import sys; sys.exit(10 + settings.DEMO)"
    kept = {"PATH": os.environ["PATH"], "DATA_DIR": os.environ["DATA_DIR"], "DEMO": "1"}
    command = [sys.executable, "-c", script]
    env = {**kept, "DJANGO_SETTINGS_MODULE": "sonicsite.settings"}
    embedded = subprocess.run(command, cwd=BASE_DIR, env=env)
    env["DATABASE_URL"] = "postgresql://site@db/site"
    real = subprocess.run(command, cwd=BASE_DIR, env=env)
    assert (embedded.returncode, real.returncode) == (11, 10)


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_pages_carry_the_policy_and_nothing_inline(client, path):
    answer = client.get(path)
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self';" in policy + ";"
    assert "style-src 'self';" in policy + ";"
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert INLINE.search(answer.content.decode()) is None


@pytest.mark.parametrize("path", ADMIN_PAGES)
def test_admin_works_under_the_policy(client, admin, path):
    client.force_login(admin)
    answer = client.get(path)
    assert answer.status_code == 200
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert INLINE.search(answer.content.decode()) is None


def test_production_cookies_and_transport(client, admin, settings):
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_SSL_REDIRECT = True
    redirected = client.get("/accounts/login/")
    assert redirected.status_code == 301
    assert redirected["Location"].startswith("https://")
    assert client.get("/healthz").status_code == 200  # load balancers ask without TLS
    secure = client.get("/accounts/login/", secure=True)
    assert "max-age=31536000" in secure["Strict-Transport-Security"]


def try_login(client: Client, email: str, password: str, **extra: str):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **extra)


@pytest.mark.django_db
def test_guessing_many_passwords_ends_at_429():
    client = Client()
    codes = [
        try_login(client, f"guess{i}@example.org", "wrong-password").status_code for i in range(32)
    ]
    assert codes[0] == 200
    assert codes[-1] == 429
    page = try_login(client, "guess@example.org", "wrong-password")
    assert page.status_code == 429
    assert "html" in page["Content-Type"]
    # Somebody at another address is not shut out.
    other = try_login(client, "x@example.org", "wrong-password", REMOTE_ADDR="203.0.113.9")
    assert other.status_code == 200


def test_guessing_one_accounts_password_locks_it_for_a_while(admin):
    """From many addresses, as botnets do."""
    for i in range(5):
        try_login(Client(), admin.email, "wrong-password", REMOTE_ADDR=f"203.0.113.{i}")
    answer = try_login(Client(), admin.email, "a-long-Passphrase-7", REMOTE_ADDR="203.0.113.77")
    assert answer.status_code in {200, 429}
    assert "sessionid" not in answer.cookies


def test_admin_has_no_log_in_of_its_own(client, admin):
    answer = client.get("/admin/login/?next=/admin/")
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


def test_client_address_behind_a_proxy_is_not_the_clients_own_word(rf, settings):
    from allauth.core.internal.httpkit import get_client_ip

    request = rf.get("/", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.5"})
    assert get_client_ip(request) == "127.0.0.1"
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert get_client_ip(request) == "203.0.113.5"


@pytest.mark.django_db
def test_oversized_form_is_413(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    answer = client.post(reverse("account_login"), {"login": "x" * 2_000, "password": "y"})
    assert answer.status_code == 413
    assert "too large" in answer.content.decode()


@pytest.mark.django_db
def test_foreign_host_is_refused(client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_no_secret_is_made_inside_the_tree(tmp_path, monkeypatch):
    from sonicsite.environment import secrets_dir

    monkeypatch.delenv("DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert secrets_dir(tmp_path / "tree" / ".data") == tmp_path / "config" / "sonic-vision-pro"
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "chosen"))
    assert secrets_dir(tmp_path / "chosen") == tmp_path / "chosen"


def test_secret_key_is_made_once_and_private(tmp_path, monkeypatch):
    from sonicsite.environment import secret_key

    monkeypatch.delenv("SECRET_KEY", raising=False)
    key = secret_key(tmp_path / "data")
    assert len(key) >= 64
    assert secret_key(tmp_path / "data") == key
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("SECRET_KEY", "given")
    assert secret_key(tmp_path / "data") == "given"
