"""What the documentation promises about settings is all there is."""

from __future__ import annotations

import re
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
READ = re.compile(r'(?:\b(?:flag|number|words)\(|os\.environ(?:\.get\(|\[))\s*"([A-Z_0-9]+)"')
INTERNAL = {
    "DJANGO_SETTINGS_MODULE",
    "EMBEDDED_DATABASE_URL",
    "PYTHONWARNINGS",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
}


def test_every_variable_is_documented_and_read():
    sources = [path for app in ("sonicsite", "analysis", "catalog") for path in _python(app)]
    read = {name for path in sources for name in READ.findall(path.read_text())} - INTERNAL
    document = (BASE_DIR / "docs" / "configuration.md").read_text()
    rows = [line.split("|")[1] for line in document.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([A-Z_0-9]+)`", row)}
    assert read - documented == set()
    assert documented - read - {"OMP_NUM_THREADS"} == set()


def _python(app: str) -> list[Path]:
    return sorted((BASE_DIR / app).rglob("*.py"))
