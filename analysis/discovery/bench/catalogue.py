"""A made-up catalogue in a database of its own, filled in steps that are done once each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection, transaction
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import Connection

from analysis.discovery import indexing
from analysis.discovery.bench import synthetic
from analysis.discovery.models import EmbeddingSpace
from catalog.models import User

VERSION = "bench-1"
SEED = 1
GENRES = (
    "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip
PASSWORD = "a-long-enough-passphrase"
LISTENERS = 8
_CHUNK = 50_000
_TRACKS_PER_ARTIST = 20

# Every foreign key is right, and is not asked of each row. Ids in order are written the quickest.
_FILL = """
SET LOCAL session_replication_role = replica;
INSERT INTO catalog_user (id, password, is_superuser, first_name, last_name, is_staff, is_active,
                          date_joined, email, role)
SELECT 1000 + n, '!', false, '', '', false, true, now(), 'artist' || n || '@bench.local', 'artist'
FROM generate_series(1, %(artists)s) n;
INSERT INTO catalog_artist (id, user_id, name, picture, bio, default_genre, auto_separate,
                            auto_voice, auto_lyrics, may_train, created_at)
SELECT 1000 + n, 1000 + n, 'Artist ' || n, '', '', '', false, false, false, false, now()
FROM generate_series(1, %(artists)s) n;
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT n, ('1' || lpad(to_hex(n), 31, '0'))::uuid AS track_id,
       ('2' || lpad(to_hex(n), 31, '0'))::uuid AS revision_id,
       ('3' || lpad(to_hex(n), 31, '0'))::uuid AS report_id,
       lpad(to_hex(n), 64, '0') AS sha256,
       1001 + n %% %(artists)s AS artist_id, random() AS r1, random() AS r2, random() AS r3
FROM generate_series(0, %(rows)s - 1) n;
INSERT INTO catalog_track (id, artist_id, title, version, position, composer, isrc, discoverable,
                           may_train, is_reference, created_at, updated_at)
SELECT track_id, artist_id, 'Track ' || n, '', 0, '', '', true, false, false, now(), now()
FROM made;
INSERT INTO catalog_revision (id, track_id, artist_id, number, file, original_name, content_sha256,
                              size_bytes, duration_s, sample_rate, channels, codec, container,
                              lossless, tags, note, created_at)
SELECT revision_id, track_id, artist_id, 1, '', 'song.wav', sha256, 1000, 200, 44100, 2,
       'pcm_s16le', 'wav', true, '{}', '', now() FROM made;
INSERT INTO analysis_report (id, content_sha256, stage, model_version, document, genre,
                             genre_decided, tempo_bpm, key, energy, created_at)
SELECT report_id, sha256, 'listen', %(version)s,
       jsonb_build_object(
           'tempo', jsonb_build_object('bpm', round((60 + 120 * r1)::numeric, 1)),
           'key', jsonb_build_object('tonic', 'A', 'mode', 'minor'),
           'genre', jsonb_build_object('label', genre, 'decided', true, 'confidence', 0.8),
           'features', jsonb_build_object('energy', v.energy, 'danceability', r2,
                                          'acousticness', r3, 'valence', r1),
           'mix', jsonb_build_object('bands', '[]'::jsonb)),
       genre, true, 60 + 120 * r1, 'A minor', v.energy, now()
FROM made JOIN bench_vector v USING (n);
INSERT INTO analysis_embedding (report_id, content_sha256, model_version, vector)
SELECT report_id, sha256, %(version)s, v.vector FROM made JOIN bench_vector v USING (n);
INSERT INTO analysis_searchentry (space_id, track_id, revision_id, report_id, artist_id,
                                  discoverable, is_reference, genre, tempo_bpm, key_code, energy,
                                  language, vector)
SELECT %(space)s, track_id, revision_id, report_id, artist_id, true, false, v.genre,
       60 + 120 * r1, (24 * r2)::int %% 24, v.energy, '', v.vector
FROM made JOIN bench_vector v USING (n) ORDER BY n;
CREATE TABLE bench_row AS SELECT n, track_id, revision_id, sha256 FROM made;
ALTER TABLE bench_row ADD PRIMARY KEY (n);
CREATE UNIQUE INDEX ON bench_row (track_id);
"""


def fill(rows: int, folder: Path, say: Callable[[str], object]) -> dict[str, Any]:
    """Make a catalogue of ``rows`` tracks, or go on where it was left; returns its facts.

    Each step leaves a mark, so a folder that was made once is used as it is.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS bench_step (name text PRIMARY KEY, seconds real)"
        )
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS bench_vector (n int PRIMARY KEY, genre text, energy real,"
            " vector halfvec(128))"
        )
    _step("vectors", say, lambda: _copy_vectors(rows))
    _step("rows", say, lambda: _fill_rows(rows))
    _step("statistics", say, _vacuum)
    space = EmbeddingSpace.objects.get(model_version=VERSION)
    _step("quantiles", say, lambda: indexing.measure(space))
    return facts()


def facts() -> dict[str, Any]:
    """Seconds of every step that is done, by name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, seconds FROM bench_step ORDER BY name")
        return {name: round(seconds, 1) for name, seconds in cursor.fetchall()}


def _step(name: str, say: Callable[[str], object], do: Callable[[], object]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM bench_step WHERE name = %s", [name])
        if cursor.fetchone():
            return
    say(f"  making {name}")
    started = time.perf_counter()
    do()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bench_step (name, seconds) VALUES (%s, %s)",
            [name, time.perf_counter() - started],
        )


def columns(rows: int) -> tuple[synthetic.Float, list[str], synthetic.Float]:
    """Vectors as stored (rows, 128), genres and energies (rows,), as :func:`fill` writes them.

    Eight of ten tracks of a Gaussian have its genre, the others any. The energy is independent of
    the place, so that its ranges are filters of any selectivity.
    """
    vectors, groups = synthetic.embeddings(rows, seed=SEED)
    generator = np.random.default_rng(SEED + 1)
    typical = generator.integers(0, len(GENRES), 64)[groups]
    genre = np.where(generator.random(rows) < 0.8, typical, generator.integers(0, 10, rows))
    energy = generator.random(rows, dtype=np.float32)
    return synthetic.as_stored(vectors), [GENRES[i] for i in genre], energy


def _copy_vectors(rows: int) -> None:
    vectors, genres, energies = columns(rows)
    connection.ensure_connection()
    link: Connection[Any] = connection.connection
    register_vector(link)
    with transaction.atomic(), link.cursor() as cursor:
        cursor.execute("TRUNCATE bench_vector")
        with cursor.copy(
            "COPY bench_vector (n, genre, energy, vector) FROM STDIN WITH (FORMAT BINARY)"
        ) as copy:
            copy.set_types(["int4", "text", "float4", "halfvec"])
            for n in range(rows):
                copy.write_row((n, genres[n], float(energies[n]), HalfVector(vectors[n])))


def _fill_rows(rows: int) -> None:
    for number in range(LISTENERS):
        email = f"listener{number}@bench.local"
        if not User.objects.filter(email=email).exists():
            User.objects.create_user(email, PASSWORD)
    space, _ = EmbeddingSpace.objects.get_or_create(
        model_version=VERSION, defaults={"is_serving": True}
    )
    values: dict[str, int | str] = {
        "rows": rows,
        "artists": max(1, rows // _TRACKS_PER_ARTIST),
        "space": space.pk,
        "version": VERSION,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in _FILL.split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)


def _vacuum() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
