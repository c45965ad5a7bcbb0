"""Taking versions in, opening them, and letting them go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from safetensors.numpy import load_file, save_file

from analysis.neural import trial, weights
from analysis.registry import serving, storing
from analysis.registry.candidate_files import VersionRefused
from analysis.registry.models import ModelVersion, Origin, ServingChange
from tests.analysis.registry.versions import changed_weights
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def rewrite(folder: Path, name: str = "timbre", **changes: object) -> None:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def describe_anew(folder: Path, name: str = "timbre") -> None:
    """The manifest's checksum brought in line with the weights beside it."""
    fields = json.loads((folder / f"{name}.json").read_text())
    del fields["file"], fields["sha256"]
    weights.write_manifest(
        folder / f"{name}.json", weights_file=folder / f"{name}.safetensors", **fields
    )


def test_a_version_comes_back_byte_for_byte_and_only_once(tmp_path):
    user = UserFactory()
    folder = changed_weights(tmp_path / "new")
    version = storing.add_version("timbre", folder, origin=Origin.UPLOADED, by=user)
    found = weights.read_from(folder, "timbre")
    assert (version.identity, version.sha256) == (found.identity, found.sha256)
    assert (version.version, version.created_by, version.is_serving) == ("1.1.0", user, False)
    assert version.card.startswith("#")
    with storing.opened(version) as copy:
        assert weights.read_from(copy, "timbre").identity == found.identity
        for name in ("timbre.safetensors", "timbre.md"):
            assert (copy / name).read_bytes() == (folder / name).read_bytes()
    rewrite(folder, version="1.2.0")
    with pytest.raises(storing.AlreadyThere, match="here already") as refused:
        storing.add_version("timbre", folder, origin=Origin.UPLOADED)
    assert refused.value.version == version


def test_the_shipped_ones_are_entered_once_and_serve_from_the_start():
    first = storing.register_shipped()
    assert {one.identity for one in first} == {
        weights.find("ears").identity,
        weights.find("timbre").identity,
    }
    assert storing.register_shipped() == first
    assert all(serving.serving_version(one.model) == one for one in first)
    assert ServingChange.objects.count() == 2
    with storing.opened(first[0]) as folder:
        assert folder == weights.SHIPPED_DIR


def test_a_new_release_takes_over_from_the_shipped_one_alone(tmp_path, monkeypatch):
    storing.register_shipped()
    release = changed_weights(tmp_path / "release", version="2.0.0")
    changed_weights(release, "ears", version="3.0.0")
    old = serving.serving_version("timbre")
    monkeypatch.setattr(storing, "SHIPPED_DIR", release)
    storing.register_shipped()
    new = serving.serving_version("timbre")
    assert (new.version, new.origin) == ("2.0.0", Origin.SHIPPED)
    with pytest.raises(storing.FilesMissing), storing.opened(old):
        pass
    # Machines that still run the release before do not take it back.
    monkeypatch.setattr(storing, "SHIPPED_DIR", weights.SHIPPED_DIR)
    storing.register_shipped()
    assert serving.serving_version("timbre") == new


def _no_safetensors(folder: Path) -> None:
    (folder / "timbre.safetensors").write_bytes(b"\x80\x04cos\nsystem\n" * 40)
    describe_anew(folder)


def _huge_header(folder: Path) -> None:
    (folder / "timbre.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}" * 40)
    describe_anew(folder)


def _cut_short(folder: Path) -> None:
    path = folder / "timbre.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    describe_anew(folder)


def _other_network(folder: Path) -> None:
    save_file({"body.0.weight": np.zeros((3, 3), np.float32)}, folder / "timbre.safetensors")
    describe_anew(folder)


def _not_finite(folder: Path) -> None:
    tensors = load_file(folder / "timbre.safetensors")
    tensors["local.bias"] = np.full_like(tensors["local.bias"], np.nan)
    save_file(tensors, folder / "timbre.safetensors")
    describe_anew(folder)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_safetensors, "no safetensors file"),
        (_huge_header, "no safetensors file"),
        (_cut_short, "cut short"),
        (_other_network, "do not fit"),
        (_not_finite, "not finite"),
        (lambda f: rewrite(f, sha256="0" * 64), "not the ones that the manifest describes"),
        (lambda f: rewrite(f, file="../timbre.safetensors"), "without folders"),
        (lambda f: rewrite(f, version="../../x"), "must be 1 to 40 letters"),
        (lambda f: rewrite(f, licence=7), "lacks “licence”"),
        (lambda f: rewrite(f, source="a\0b"), "NUL"),
        (lambda f: rewrite(f, figures=[1]), "must be an object"),
        (lambda f: rewrite(f, settings={"tags": ["warm", "warm"]}), "different names"),
        (lambda f: rewrite(f, settings={"tags": ["w" * 41]}), "printable characters"),
        (lambda f: rewrite(f, settings={"tags": ["warm"]}), "do not fit"),
        (lambda f: rewrite(f, figures={"x": 10**400}), "number"),
        (lambda f: (f / "timbre.json").write_text('{"a": NaN}'), "no JSON"),
        (lambda f: (f / "timbre.json").write_text("[" * 100_000), "no JSON"),
        (lambda f: (f / "timbre.json").write_bytes(b"\xff\xfe{}"), "UTF-8"),
        (lambda f: (f / "timbre.json").unlink(), "missing"),
        (lambda f: (f / "timbre.md").write_bytes(b"\0\1"), "no text"),
        (lambda f: (f / "timbre.md").write_bytes(b"a" * 1024**2 + b"a"), "larger than"),
    ],
)
def test_what_is_no_version_is_refused_in_words_and_leaves_nothing(tmp_path, spoil, words):
    folder = changed_weights(tmp_path / "new")
    spoil(folder)
    with pytest.raises(VersionRefused, match=words):
        storing.add_version("timbre", folder, origin=Origin.UPLOADED)
    assert not ModelVersion.objects.exists()
    assert not default_storage.exists("models")


def test_a_process_without_torch_asks_another_one(tmp_path):
    code = (
        "import sys; from pathlib import Path; from analysis.neural import trial;"
        "print(trial.check(Path(sys.argv[1]), 'timbre'), 'torch' in sys.modules)"
    )
    folder = changed_weights(tmp_path / "new")
    good = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert good.stdout.split() == ["None", "False"]
    assert trial.problem_of(folder, "nothing") is not None


def test_what_serves_or_is_gone_back_to_stays_and_the_rest_goes_with_its_files(tmp_path):
    shipped = next(one for one in storing.register_shipped() if one.model == "timbre")
    first = storing.add_version("timbre", changed_weights(tmp_path / "a"), origin=Origin.UPLOADED)
    second = storing.add_version(
        "timbre", changed_weights(tmp_path / "b", version="1.2.0"), origin=Origin.UPLOADED
    )
    serving.promote(first, by=None, override_reason="a test")
    serving.promote(second, by=None, override_reason="a test")
    for needed, words in ((second, "serves"), (first, "goes back"), (shipped, "came with")):
        with pytest.raises(storing.StillNeeded, match=words):
            storing.delete_version(needed)
    serving.roll_back("timbre", by=None)
    storing.delete_version(second)
    assert not ModelVersion.objects.filter(pk=second.pk).exists()
    assert ServingChange.objects.filter(after_identity=second.identity).exists()


def test_files_that_belong_to_no_version_go_after_a_day(tmp_path):
    version = storing.add_version("timbre", changed_weights(tmp_path / "a"), origin=Origin.UPLOADED)
    for name in ("lost", "under-way"):
        (Path(default_storage.path("models/timbre")) / name).mkdir()
        Path(default_storage.path(f"models/timbre/{name}/timbre.safetensors")).write_bytes(b"x")
    long_ago = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    for folder in ("models/timbre/lost", version.folder):
        os.utime(default_storage.path(f"{folder}/timbre.safetensors"), (long_ago, long_ago))
    storing.tidy_files()
    assert set(default_storage.listdir("models/timbre")[0]) == {"under-way", str(version.pk)}
