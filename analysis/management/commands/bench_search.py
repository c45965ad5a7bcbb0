"""``manage.py bench_search [--rows N ...] [--folder DIR]``: how well and fast similar tracks are
found, on made-up catalogues in databases of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from sonicsite import embedded_postgres

_INSIDE = "BENCH_SEARCH_INSIDE"


class Command(BaseCommand):
    help = (
        "Fill temporary databases with tracks whose embeddings lie like real ones, and measure "
        "recall against exact search, times with and without filters, several clients, the page's "
        "own address, build time, sizes and memory. With --folder the databases stay, and the next "
        "run goes on where this one was, or measures again what is there."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rows", type=int, nargs="+", default=[10_000], help="sizes of catalogues, in tracks"
        )
        parser.add_argument("--folder", type=Path, help="where databases and figures are kept")
        parser.add_argument("--queries", type=int, default=300)
        parser.add_argument("--client-seconds", type=float, default=10.0)
        parser.add_argument("--m", type=int, help="of the index, instead of the product's")
        parser.add_argument("--ef-construction", type=int, help="likewise; build again if others")
        parser.add_argument(
            "--candidates", type=int, help="that a search sees at least, instead of the product's"
        )
        parser.add_argument("--no-http", action="store_true", help="leave the web server out")
        parser.add_argument("--plot", type=Path, help="draw the growth as an SVG")
        parser.add_argument(
            "--tables", type=Path, help="a Markdown file between whose two marks the figures go"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if os.environ.get(_INSIDE):
            self._inside(options)
            return
        if options["tables"]:  # to be refused before half an hour of measuring, not after it
            self._write_tables(options["tables"], [])
        with ExitStack() as held:
            folder = options["folder"] or Path(
                held.enter_context(tempfile.TemporaryDirectory(prefix="svp-bench-search-"))
            )
            folder = folder.resolve()
            results = [self._one(rows, folder, options) for rows in sorted(options["rows"])]
            (folder / "figures.json").write_text(json.dumps(results, indent=2))
            if options["folder"]:
                self.stdout.write(f"\nfigures in {folder / 'figures.json'}")
        if options["plot"]:
            from analysis.discovery.bench.plot import growth_svg

            options["plot"].write_text(growth_svg(results))
        if options["tables"]:
            self._write_tables(options["tables"], results)

    def _write_tables(self, page: Path, results: list[dict[str, Any]]) -> None:
        """Put the tables into ``page``; without results it is only looked at."""
        from analysis.discovery.bench.tables import written_into

        try:
            text = written_into(page.read_text(encoding="utf-8"), results)
        except (OSError, ValueError) as error:
            raise CommandError(f"{page}: {error}") from error
        if results:
            page.write_text(text, encoding="utf-8")

    def _one(self, rows: int, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
        place = folder / str(rows)
        place.mkdir(parents=True, exist_ok=True)
        passed = ["--rows", str(rows), "--folder", str(place), "--queries", str(options["queries"])]
        passed += ["--client-seconds", str(options["client_seconds"])]
        for name in ("m", "ef_construction", "candidates"):
            if options[name]:
                passed += [f"--{name.replace('_', '-')}", str(options[name])]
        if options["no_http"]:
            passed.append("--no-http")
        # What a power cut would take is measured again.
        with embedded_postgres.in_use(place, durable=False) as url:
            foreign = ("DATABASE_URL", "REDIS_URL")
            done = subprocess.run(
                [sys.executable, "manage.py", "bench_search", *passed],
                cwd=settings.BASE_DIR,
                env={
                    **{key: value for key, value in os.environ.items() if key not in foreign},
                    "EMBEDDED_DATABASE_URL": url,
                    "DATA_DIR": str(place / "data"),
                    "REQUESTS_PER_SECOND": "100000",
                    "REQUEST_BURST": "100000",
                    "API_CALLS_PER_MINUTE": "10000000",
                    "API_REQUESTS_PER_SECOND": "100000",
                    "API_REQUEST_BURST": "100000",
                    "LOG_LEVEL": "WARNING",
                    "DEMO": "0",
                    _INSIDE: "1",
                },
                check=False,
            )
        if done.returncode:
            raise CommandError(f"measuring {rows:,} tracks failed; its output is above")
        result: dict[str, Any] = json.loads((place / "figures.json").read_text())
        return result

    def _inside(self, options: dict[str, Any]) -> None:
        from analysis.discovery import query
        from analysis.discovery.bench.run import measure_all

        call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
        if options["candidates"]:
            query.LEAST_EF = options["candidates"]
        (rows,) = options["rows"]
        measure_all(
            rows,
            options["folder"],
            queries=options["queries"],
            client_seconds=options["client_seconds"],
            m=options["m"],
            ef_construction=options["ef_construction"],
            http=not options["no_http"],
            say=self.stdout.write,
        )
