"""Upload a folder of music, wait until all of it has been listened to, write a CSV of results.

    export SONIC_VISION_URL=https://music.example SONIC_VISION_TOKEN=svp_...
    python examples/folder_to_csv.py ~/Music/album results.csv

Stop it whenever you like and run it again: nothing is uploaded or analysed twice, and rows that are
in the CSV already stay. What is wrong with a file stands in its row.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sonic_vision import Client, Refused, TookTooLong, Upload, WorkFailed

ENDINGS = {".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav", ".wma"}
COLUMNS = (
    "file",
    "state",
    "track",
    "revision",
    "genre",
    "tempo_bpm",
    "key",
    "integrated_lufs",
    "energy",
    "note",
)
DONE = {"done", "refused", "failed"}


def audio_files(folder: Path) -> list[Path]:
    """Music in a folder and below, in a steady order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)


def read_rows(path: Path) -> dict[str, dict[str, str]]:
    """Rows that an earlier run has written, by file; none if there was no run."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def write_rows(path: Path, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """All rows, to a new file that then takes the old one's place."""
    draft = path.with_name(path.name + ".part")
    with draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows[name] for name in sorted(rows))
    draft.replace(path)


def sent(
    client: Client, folder: Path, artist: int | None, rows: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, Upload]]:
    """Send what has no final row yet; gives the uploads that are listened to now."""
    files = audio_files(folder)
    for place, path in enumerate(files, start=1):
        name = path.relative_to(folder).as_posix()
        if rows.get(name, {}).get("state") in DONE:
            continue
        tell(f"[{place}/{len(files)}] {name}")
        try:
            upload = client.upload(path, artist=artist)
        except Refused as refusal:
            rows[name] = {"file": name, "state": "refused", "note": refusal.detail}
            continue
        rows[name] = {
            "file": name,
            "state": "analysing",
            "track": upload.track,
            "revision": upload.revision,
            "note": "same content as another file" if upload.is_duplicate else "",
        }
        yield name, upload


def collect(client: Client, name: str, upload: Upload, row: dict[str, Any], wait_s: float) -> None:
    """Wait for a file's report and write its figures into its row."""
    try:
        client.wait_for(upload, timeout_s=wait_s)
    except WorkFailed as failure:
        row.update(state="failed", note=failure.job.reason)
        return
    except TookTooLong:
        tell(f"{name} takes longer; run this again later")
        return
    report = client.report(str(upload.revision), whole=False)
    row.update(
        state="done",
        genre=report.genre if report.genre_decided else "",
        tempo_bpm=rounded(report.tempo_bpm, 1),
        key=report.key,
        integrated_lufs=rounded(report.integrated_lufs, 2),
        energy=rounded(report.energy, 3),
    )


def rounded(value: float | None, digits: int) -> str:
    """A figure for the table; empty if there is none."""
    return "" if value is None else f"{value:.{digits}f}"


def tell(text: str) -> None:
    """Say something to whoever watches."""
    sys.stderr.write(text + "\n")


def main() -> int:
    """Exit code: 0 if every file has a result, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--artist", type=int, help="whose music it is; without it: your own")
    parser.add_argument("--wait", type=float, default=3_600.0, help="seconds for each file")
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {**read_rows(options.csv)}
    with Client() as client:
        # All are sent first: the server listens to them while the rest is on its way.
        waiting = []
        for name, upload in sent(client, options.folder, options.artist, rows):
            waiting.append((name, upload))
            write_rows(options.csv, rows)
        for name, upload in waiting:
            collect(client, name, upload, rows[name], options.wait)
            write_rows(options.csv, rows)
    write_rows(options.csv, rows)
    tell(f"{options.csv}: {sum(row['state'] == 'done' for row in rows.values())} of {len(rows)}")
    return 0 if all(row["state"] == "done" for row in rows.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
