"""Sections: heard in the same pass as the track, kept with its report, and matched."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.discovery import sections
from analysis.discovery.models import SectionEmbeddings
from analysis.discovery.sections import NoSections, Sections, best_matching_sections, matches
from tests.analysis.discovery.catalogue import heard
from tests.analysis.neural.listeners import trunk_alone


def test_they_equal_a_separate_pass_over_each_stretch(loud_picture):
    """Every section by itself, cut out of the picture and heard alone: by the trunk exactly, with
    what the tagger hears of the whole picture there; its pieces of the stretch lie elsewhere."""
    from analysis.neural.companion import hear_picture
    from analysis.neural.ears import load_ears
    from analysis.sound.mel import COLUMNS_PER_SECOND

    ears = load_ears()
    trunk, companion = trunk_alone(ears), ears.network.picture_companion
    tagged = torch.from_numpy(hear_picture(companion.taggers, loud_picture))
    whole, by_trunk = ears.hear(loud_picture), trunk.hear(loud_picture)
    found = whole.sections
    assert found.start_s[0] == 0.0
    assert found.end_s[-1] == pytest.approx(loud_picture.shape[1] / COLUMNS_PER_SECOND)
    assert all(0 < b - a < 10 for a, b in zip(found.start_s, found.end_s, strict=True))
    for row, (start_s, vector) in enumerate(zip(found.start_s, found.vectors, strict=True)):
        start = round(start_s * COLUMNS_PER_SECOND)
        stretch = loud_picture[:, start : start + 128]
        place = trunk.predict(stretch).embedding
        assert by_trunk.sections.vectors[row] == pytest.approx(place, abs=2e-4)
        with torch.inference_mode():
            both = companion.heads.embed(torch.from_numpy(place)[None], tagged[row : row + 1])[0]
        assert vector == pytest.approx(both.numpy(), abs=2e-4)
        assert vector @ ears.predict(stretch).embedding > 0.99
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    for track in (whole, by_trunk):
        mean = track.sections.vectors.mean(axis=0)
        assert track.embedding @ mean / np.linalg.norm(mean) > 0.99


@pytest.fixture(scope="module")
def loud_picture():
    """A mel picture (128, 400) with a different texture in each quarter."""
    generator = np.random.default_rng(3)
    quarters = [
        generator.integers(0, 256, (128, 1)) * np.ones((1, 100))
        + generator.normal(0, 20, (128, 100))
        for _ in range(4)
    ]
    return np.clip(np.concatenate(quarters, axis=1), 0, 255).astype(np.uint8)


def unit(*rows):
    vectors = np.zeros((len(rows), 128), dtype=np.float32)
    for number, (axis, degrees) in enumerate(rows):
        vectors[number, axis] = np.cos(np.radians(degrees))
        vectors[number, axis + 1] = np.sin(np.radians(degrees))
    return vectors


def windows(vectors, hop=7.5, length=10.0):
    starts = [hop * n for n in range(len(vectors))]
    return Sections(starts, [start + length for start in starts], vectors)


class TestMatching:
    def test_the_best_pairs_come_first_and_overlap_nothing(self):
        a = windows(unit((0, 0), (10, 0), (20, 0), (30, 0), (40, 0)))
        b = windows(unit((40, 5), (60, 0), (0, 20), (70, 0), (20, 40)))
        found = matches(a, b, table=[], most=3)
        assert [(m.a_start_s, m.b_start_s) for m in found] == [
            (30.0, 0.0),
            (0.0, 15.0),
            (15.0, 30.0),
        ]

    def test_neighbouring_windows_of_one_place_are_one_match(self):
        a = windows(unit((0, 0), (0, 1), (0, 2)))
        b = windows(unit((0, 0), (0, 1), (0, 2)))
        found = matches(a, b, table=[], most=3)
        assert len(found) == 2
        assert {found[0].a_start_s, found[1].a_start_s} == {0.0, 15.0}

    def test_percentiles_come_from_the_table_of_sections(self):
        from analysis.discovery import percentiles

        table = [float(x) for x in np.linspace(0.0, 1.0, len(percentiles.SHARES))]
        (match,) = matches(windows(unit((0, 0))), windows(unit((0, 0))), table=table)
        assert match.percentile == 99.9


@pytest.mark.django_db
class TestKeeping:
    def keep(self, track, vectors):
        from analysis.models import Report

        report = Report.objects.get(content_sha256=track.revisions.get().content_sha256)
        sections.store(report, windows(vectors))
        return track.revisions.get()

    def test_what_is_kept_is_compact_and_the_same(self):
        vectors = unit((0, 10), (5, 70), (9, 33))
        revision = self.keep(heard(), vectors)
        row = SectionEmbeddings.objects.get()
        assert len(bytes(row.vectors)) == 3 * 128 * 2
        (read,) = sections.of_reports([row.report_id]).values()
        assert read.vectors == pytest.approx(vectors, abs=1e-3)
        assert read.end_s == [10.0, 17.5, 25.0]
        (match, *_) = best_matching_sections(revision, revision)
        assert match.a_start_s == match.b_start_s

    def test_a_track_heard_before_sections_were_kept_says_so(self):
        old, new = heard(), heard()
        self.keep(new, unit((0, 0)))
        with pytest.raises(NoSections, match="Listen to both again"):
            best_matching_sections(old.revisions.get(), new.revisions.get())
