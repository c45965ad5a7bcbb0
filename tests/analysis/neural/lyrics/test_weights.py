"""The starter's files are whole or refused, and mean the same to both libraries."""

from __future__ import annotations

import shutil

import ctranslate2
import numpy as np
import pytest
import torch

from analysis.neural.lyrics import ctranslate2_file, models, openai_engine, starter_weights
from analysis.neural.lyrics.recogniser import EngineUnavailable
from analysis.neural.weights import WeightsUnavailable


def test_the_joined_folder_is_made_once_in_the_models_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    folder = starter_weights.folder()
    assert folder == tmp_path / "whisper-base-starter"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "whisper-base-starter"
    ]  # nothing left over
    model = folder / "model.bin"
    assert model.stat().st_size == 145_217_532
    made_at = model.stat().st_mtime_ns
    assert starter_weights.folder() == folder
    assert model.stat().st_mtime_ns == made_at
    with model.open("r+b") as file:  # one bit flips on the disk
        file.seek(1_000_000)
        byte = file.read(1)[0]
        file.seek(1_000_000)
        file.write(bytes([byte ^ 1]))
    starter_weights.folder()
    with model.open("rb") as file:
        file.seek(1_000_000)
        assert file.read(1)[0] == byte


def test_without_the_packages_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    monkeypatch.setattr(starter_weights, "_PACKAGES", ("no_such_package_1", "no_such_package_2"))
    assert not starter_weights.is_present()
    with pytest.raises(WeightsUnavailable, match="no-such-package-1"):
        starter_weights.folder()
    with pytest.raises(EngineUnavailable, match="no-such-package-1"):
        models.for_ctranslate2()
    assert list(tmp_path.iterdir()) == []


def test_both_libraries_compute_the_same(openai):
    """The converted network beside CTranslate2's own, in full precision: on noise, to 4 digits."""
    folder = starter_weights.folder()
    whisper = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="float32")
    rng = np.random.default_rng(3)
    mel = rng.normal(0, 0.5, (1, 80, 3000)).astype(np.float32)
    theirs = whisper.encode(ctranslate2.StorageView.from_array(mel))
    with torch.inference_mode():
        ours = openai._network.encoder(torch.from_numpy(mel))
    np.testing.assert_allclose(ours.numpy(), np.array(theirs), atol=2e-3)
    tokens = openai.text_tokens(" Time stands still when I'm with you")
    sot = openai.tokenizer("en").sot_sequence
    expected = whisper.align(theirs, list(sot), [tokens], 300)[0].text_token_probs
    no_timestamps = openai.tokenizer("en").no_timestamps
    with torch.inference_mode():
        logits = openai._network.decoder(torch.tensor([[*sot, no_timestamps, *tokens]]), ours)[
            0, len(sot) : -1
        ]
    text = logits[:, : openai.tokenizer("en").eot]  # without the marks, as whisper.timing does
    found = text.softmax(dim=-1)[range(len(tokens)), tokens].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_alignment_heads_are_those_that_openai_publishes(openai):
    import whisper

    published = whisper.model.Whisper(openai._network.dims)
    published.set_alignment_heads(whisper._ALIGNMENT_HEADS["base"])
    assert torch.equal(
        openai._network.alignment_heads.to_dense(), published.alignment_heads.to_dense()
    )


def test_a_file_that_is_no_model_is_refused(tmp_path):
    broken = tmp_path / "model.bin"
    broken.write_bytes((starter_weights.folder() / "model.bin").read_bytes()[:2_000_000])
    with pytest.raises(WeightsUnavailable, match="ends too early"):
        ctranslate2_file.read_variables(broken)
    broken.write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(WeightsUnavailable, match="not a Whisper model"):
        ctranslate2_file.read_variables(broken)


def test_a_larger_model_is_taken_from_the_local_folder_first(monkeypatch, tmp_path):
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("LYRICS_MODEL", "small")
    local = tmp_path / "whisper-small"
    shutil.copytree(starter_weights.folder(), local)
    found = models.for_ctranslate2()
    assert (found.model, found.path) == ("small", local)
    assert found.identity.startswith("whisper-small-")
    assert models.for_openai().path == local


def test_a_model_that_nobody_has_gives_way_to_the_starter(monkeypatch, tmp_path):
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("LYRICS_MODEL", "large-v3")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = []
    monkeypatch.setattr(models, "_answers", lambda address: asked.append(address) or False)
    assert models.for_ctranslate2().model == "base"
    assert models.for_openai().model == "base"
    assert len(asked) == 2  # the hub, and OpenAI's own server


def test_openais_own_files_are_opened_too(monkeypatch, tmp_path, openai):
    from dataclasses import asdict

    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    network = openai._network
    torch.save(
        {
            "dims": asdict(network.dims),
            "model_state_dict": {
                name: values.half() for name, values in network.state_dict().items()
            },
        },
        tmp_path / "whisper-base.pt",
    )
    found = models.for_openai()
    assert found.path == tmp_path / "whisper-base.pt"
    loaded = openai_engine.from_checkpoint(found.path)
    assert torch.equal(loaded.alignment_heads.to_dense(), network.alignment_heads.to_dense())
