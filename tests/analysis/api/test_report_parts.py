"""Parts of a report: the same as the document's, heat maps as numbers, other targets."""

from __future__ import annotations

import importlib.util
import io
import itertools
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from analysis.mixing import load_targets, rejudge
from analysis.models import Report
from tests.analysis.api import analysed
from tests.analysis.api.conftest import V1
from tests.factories import ReportFactory, RevisionFactory, TrackFactory

TRACKS = Path(importlib.util.find_spec("immich_memories_music").origin).parent / "tracks"


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """What listening finds in twelve seconds of a real song."""
    from analysis.listening import listen

    with av.open(str(TRACKS / "happy/happy_acoustic_2.opus")) as file:
        frames = list(itertools.islice(file.decode(audio=0), 600))
    sound = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    path = tmp_path_factory.mktemp("song") / "song.wav"
    channels = frames[0].layout.nb_channels
    flat = sound.T if sound.shape[0] == channels else sound.reshape(-1, channels)
    soundfile.write(path, flat, frames[0].sample_rate)
    return listen(path)


@pytest.fixture
def heard(world, song):
    """The song as a file of the artist."""
    revision = RevisionFactory(track=TrackFactory(artist=world.artist))
    report = ReportFactory(
        content_sha256=revision.content_sha256,
        document=song.document,
        genre=song.document["genre"]["label"],
    )
    for name, content in song.pictures.items():
        analysed.save(report, name, content)
    return revision


@pytest.fixture
def read(world, heard):
    def get(part: str):
        return world.clients["partner"].get(f"{V1}revisions/{heard.pk}/report/{part}")

    return get


def test_each_part_is_that_of_the_document(read, song):
    document = song.document
    for part in ("genre", "loudness"):
        found = read(f"{part}/").json()
        for name, value in document[part].items():
            assert found[name] == value, (part, name)
        assert found["model_version"] == "test-1"
    features = read("features/").json()
    assert features["features"] == document["features"]
    assert features["percentiles"] == document["feature_percentiles"]
    assert (features["tempo"], features["key"]) == (document["tempo"], document["key"])
    short = read("loudness/?fields=integrated_lufs").json()
    assert short == {"integrated_lufs": document["loudness"]["integrated_lufs"]}
    tag = read("genre/")["ETag"]
    assert read("genre/")["ETag"] == tag


def test_the_mix_is_judged_against_what_is_asked_for(world, read, song, heard):
    mix = read("mix/").json()
    assert (mix["genre"], mix["is_older"]) == (song.document["mix"]["genre"], False)
    other = next(name for name in ("metal", "jazz") if name != mix["genre"])
    judged = read(f"mix/?target={other}").json()
    expected = rejudge(song.document, genre=other, targets=load_targets())
    assert judged["genre"] == other
    assert judged["findings"] == expected["findings"]
    assert judged["bands"] == expected["bands"] != mix["bands"]
    # The artist's own target, which is jazz under another name.
    own = read(f"mix/?target=own:{world.target.pk}").json()
    assert own["genre"] == "Mine"
    jazz = read("mix/?target=jazz").json()
    assert [band["median"] for band in own["bands"]] == [band["median"] for band in jazz["bands"]]
    theirs = analysed.target_of(world.other)
    for value in ("polka", f"own:{theirs.pk}", "own:x", "own:"):
        answer = read(f"mix/?target={value}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter"), value


def test_an_older_report_is_shown_and_not_judged_anew(world):
    address = f"{V1}revisions/{world.revision.pk}/report/mix/"
    assert world.clients["owner"].get(address).json()["is_older"] is True
    answer = world.clients["owner"].get(f"{address}?target=jazz")
    assert (answer.status_code, answer.json()["reason"]) == (409, "older_report")


def test_the_heat_map_is_the_array_that_was_drawn(world):
    """Against the map itself, which the picture was made of."""
    owner, base = world.clients["owner"], f"{V1}revisions/{world.revision.pk}/report/heatmap/"
    drawn = analysed.heat()
    expected = np.clip(drawn / np.quantile(drawn, 0.99), 0, 1)
    found = owner.get(f"{base}?columns=4096").json()
    values = np.array(found["values"])
    assert values.shape == (128, 40)
    assert np.abs(values - expected).max() < 0.008, "to a shade of the picture"
    assert found["label"] == "jazz"
    assert found["column_s"] == pytest.approx(1_709 / 22_050, abs=1e-5)
    assert len(found["bands_hz"]) == 128
    assert found["bands_hz"] == sorted(found["bands_hz"])
    few = owner.get(f"{base}?columns=10").json()
    means = expected.reshape(128, 10, 4).mean(axis=2)
    assert np.abs(np.array(few["values"]) - means).max() < 0.008
    assert few["column_s"] == pytest.approx(4 * 1_709 / 22_050, abs=1e-5)
    for query in ("columns=0", "columns=4097", "columns=x", "place=4", "place=0"):
        assert owner.get(f"{base}?{query}").status_code == 400, query
    assert owner.get(f"{base}?place=3").status_code == 404


def test_a_long_tracks_columns_span_all_of_it(world):
    Report.objects.filter(content_sha256=world.revision.content_sha256, stage="listen").update(
        document={"genre": {"explanations": [{"label": "jazz"}]}, "file": {"duration_s": 3_600.0}}
    )
    base = f"{V1}revisions/{world.revision.pk}/report/heatmap/"
    found = world.clients["owner"].get(base).json()
    assert found["column_s"] * found["columns"] == pytest.approx(3_600.0, abs=0.2)


def test_pictures(read, song):
    for part, name in (("heatmap/picture", "heat.png"), ("spectrogram", "spectrogram.png")):
        answer = read(f"{part}/")
        assert answer["Content-Type"] == "image/png"
        content = b"".join(answer.streaming_content)
        assert content == song.pictures[name]
        assert Image.open(io.BytesIO(content)).height == 128


def test_targets(world, heard):
    owner, partner = world.clients["owner"], world.clients["partner"]
    genres = {row["value"]: row for row in owner.get(f"{V1}targets/genres/").json()["results"]}
    assert genres.keys() == load_targets().genres.keys()
    assert genres["jazz"]["n_tracks"] == load_targets().genres["jazz"].n_tracks
    body = {"name": "Like that", "tracks": [str(heard.track_id)], "artist": world.artist.pk}
    made = partner.post(f"{V1}targets/", body, format="json")
    assert made.status_code == 201, made.json()
    listed = owner.get(f"{V1}targets/").json()["results"]
    assert [row["name"] for row in listed] == ["Like that", "Mine"]
    read = owner.get(made["Location"]).json()
    assert (read["kind"], read["document"]["n_tracks"]) == ("tracks", 1)
    mix = owner.get(f"{V1}revisions/{heard.pk}/report/mix/?target={read['value']}").json()
    assert mix["genre"] == "Like that"
    assert mix["findings"] == [] or all(f["category"] != "balance" for f in mix["findings"])
    assert partner.delete(made["Location"]).status_code == 204
    strange = {**body, "name": "Theirs", "tracks": [str(TrackFactory(artist=world.other).pk)]}
    assert partner.post(f"{V1}targets/", strange, format="json").status_code == 400
