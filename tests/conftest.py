"""What every test has. The database is started by the plugin ``tests.temporary_postgres``."""

from __future__ import annotations

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _private_files(settings, tmp_path):
    """Media and uploads of a test live and die with it."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.UPLOAD_DIR = tmp_path / "uploads"
    settings.WORK_DIR = tmp_path / "work"


@pytest.fixture(autouse=True)
def _plain_site(settings):
    """Pages need no collected static files, each test has a cache (rate limits) of its own, and
    passwords are hashed quickly."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "tests"}
    }
    cache.clear()
