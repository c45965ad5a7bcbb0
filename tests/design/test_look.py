"""The look holds its promises: contrast, no inline styles or scripts, no missing icon or file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
TOKENS = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text()
COLOURS = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", TOKENS))


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(COLOURS[one]), luminance(COLOURS[other])), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("text", ["text", "text-2", "text-3", "accent", "danger", "warn"])
@pytest.mark.parametrize("ground", ["bg", "surface", "raised", "well"])
def test_text_has_aa_contrast(text: str, ground: str) -> None:
    assert contrast(text, ground) >= 4.5


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("accent-ink", "accent"),
        ("accent-ink", "accent-bright"),
        ("accent", "accent-soft"),
        ("warn", "warn-soft"),
        ("danger", "danger-soft"),
        ("info", "info-soft"),
        ("text-2", "hover"),
    ],
)
def test_text_on_colour_has_aa_contrast(text: str, ground: str) -> None:
    assert contrast(text, ground) >= 4.5


@pytest.mark.parametrize("ground", ["bg", "surface", "well"])
def test_edges_of_inputs_can_be_seen(ground: str) -> None:
    assert contrast("line-strong", ground) >= 3.0


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_template_has_nothing_inline(path: Path) -> None:
    source = path.read_text()
    assert not re.search(r"\sstyle\s*=", source)
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", source)
    assert "<style" not in source
    for tag in re.findall(r"<script\b[^>]*>", source):
        assert "src=" in tag or 'type="application/json"' in tag


def test_every_icon_used_is_in_the_sprite() -> None:
    sprite = (settings.BASE_DIR / "static" / "img" / "icons.svg").read_text()
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', sprite))
    used = {
        name
        for path in TEMPLATES
        for name in re.findall(r'components/icon\.html" with name="([\w-]+)"', path.read_text())
    }
    assert used
    assert used <= drawn


def test_every_static_file_named_exists() -> None:
    named = {
        name
        for path in TEMPLATES
        for name in re.findall(r"""{%\s*static\s+['"]([^'"]+)['"]""", path.read_text())
    }
    assert named
    assert {name for name in named if finders.find(name) is None} == set()


def test_every_component_included_exists() -> None:
    root = settings.BASE_DIR / "templates"
    named = {
        name
        for path in TEMPLATES
        for name in re.findall(r"""{%\s*include\s+["']([^"']+)["']""", path.read_text())
    }
    assert {name for name in named if not (root / name).is_file()} <= {
        "account/snippets/already_logged_in.html"
    }


def test_every_vendored_package_has_its_licence() -> None:
    folders = [
        path for path in (settings.BASE_DIR / "static" / "vendor").iterdir() if path.is_dir()
    ]
    folders += list((settings.BASE_DIR / "static" / "fonts").iterdir())
    assert folders
    assert all((folder / "LICENSE").is_file() for folder in folders)
