"""Forms of the model pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django import forms

from analysis.registry import training_data
from analysis.registry.candidate_files import MOST_MANIFEST_BYTES, parse_manifest
from analysis.registry.models import ModelName


class SwitchForm(forms.Form):
    """Promoting or going back; ``instead_of`` is what was seen to serve."""

    note = forms.CharField(
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept in the history, for whoever wonders later.",
    )
    override_reason = forms.CharField(
        label="Reason to promote it all the same",
        max_length=200,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    instead_of = forms.UUIDField(required=False, widget=forms.HiddenInput)


class UploadForm(forms.Form):
    """The files of a version."""

    weights = forms.FileField(
        label="Weights",
        help_text="The .safetensors file. No other format is opened: they can hold code.",
        widget=forms.ClearableFileInput(attrs={"accept": ".safetensors"}),
    )
    manifest = forms.FileField(
        label="Manifest",
        help_text="NAME.json as the training commands write it: version, licence, source, "
        "checksum, settings, figures.",
        widget=forms.ClearableFileInput(attrs={"accept": ".json,application/json"}),
    )
    card = forms.FileField(
        label="Model card",
        required=False,
        help_text="What it was trained on and how well it does, in Markdown.",
        widget=forms.ClearableFileInput(attrs={"accept": ".md,text/markdown,text/plain"}),
    )


class TrainEarsForm(forms.Form):
    """Training new ears on a folder below the one that the operator set."""

    music = forms.ChoiceField(
        label="Music",
        help_text="A folder with one folder of sound files per genre, or a CSV table with path, "
        "genre and perhaps artist and split. Any names of genres will do.",
    )
    version = forms.RegexField(
        r"^[0-9A-Za-z][0-9A-Za-z._-]{0,39}\Z",
        label="Version",
        max_length=40,
        error_messages={"invalid": "Letters, digits, dots, dashes and underscores, like 2.1.0."},
    )
    trunk = forms.ChoiceField(
        label="What to train",
        choices=[
            ("kept", "The genres alone: seconds to minutes, best for fewer than 1,000 tracks"),
            ("tuned", "The whole network: hours without a GPU"),
        ],
        initial="kept",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(entry.name, entry.label) for entry in training_data.entries()]
        self.fields["music"].choices = choices  # type: ignore[attr-defined]

    @property
    def has_data(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.fields["music"].choices)  # type: ignore[attr-defined]

    def recipe(self) -> dict[str, Any]:
        """What the run is told, of valid data."""
        given = self.cleaned_data
        return {"data": given["music"], "version": given["version"], "trunk": given["trunk"]}


def file_names(model: str) -> dict[str, str]:
    """What the files of :class:`UploadForm` are called in the registry."""
    name = ModelName(model).value
    return {"weights": f"{name}.safetensors", "manifest": f"{name}.json", "card": f"{name}.md"}


def save_to(folder: Path, model: str, files: dict[str, Any]) -> None:
    """Write a valid form's files where :func:`analysis.registry.storing.add_version` finds them;
    the names they were uploaded with are not used.

    Raises :class:`analysis.registry.candidate_files.VersionRefused` for an unreadable manifest.
    """
    names = file_names(model)
    for field, name in names.items():
        if files.get(field) is not None:
            with (folder / name).open("wb") as copy:
                for block in files[field].chunks():
                    copy.write(block)
    manifest = folder / names["manifest"]
    if manifest.stat().st_size <= MOST_MANIFEST_BYTES:
        # Whatever the weights were called where the manifest was written: they are the ones.
        fields = {**parse_manifest(manifest.read_bytes()), "file": names["weights"]}
        manifest.write_text(json.dumps(fields), encoding="utf-8")
