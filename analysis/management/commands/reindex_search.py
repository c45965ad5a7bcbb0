"""``manage.py reindex_search [--switch-to VERSION] [--rebuild]``: the search made right by hand."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.discovery import entries, indexing, spaces
from analysis.discovery.models import EmbeddingSpace, SearchEntry
from catalog.models import Track


class Command(BaseCommand):
    help = (
        "Write every track's search entries anew, build missing indexes and measure distances; the "
        "site goes on searching meanwhile. It does by hand, and at once, what the workers do by "
        "themselves."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--switch-to", metavar="VERSION", help="search the space of this model version"
        )
        parser.add_argument("--rebuild", action="store_true", help="build indexes that exist anew")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["switch_to"]
        known = {space.model_version: space for space in EmbeddingSpace.objects.all()}
        if wanted and wanted not in known:
            raise CommandError(
                f"Nothing was heard by {wanted!r}; known: {', '.join(known) or 'none'}."
            )
        ids = list(Track.objects.order_by("pk").values_list("pk", flat=True))
        written = 0
        for at in range(0, len(ids), entries.BATCH):
            written += entries.refresh_tracks(ids[at : at + entries.BATCH])
        self.stdout.write(f"{written} entries of {len(ids)} tracks")
        for space in EmbeddingSpace.objects.order_by("created_at"):
            if not SearchEntry.objects.filter(space=space).exists():
                self.stdout.write(f"{space}: empty")
                continue
            if options["rebuild"]:
                indexing.drop(space)
                space.refresh_from_db()
            facts = indexing.build(space)
            indexing.measure(space)
            self.stdout.write(
                f"{space}: {space.measured_entries} tracks, index of {facts.get('bytes', 0):,} "
                f"bytes in {facts.get('seconds', 0)} s"
            )
        if wanted:
            spaces.switch_to(known[wanted])
        serving = spaces.serving_space()
        self.stdout.write(f"searched: {serving or 'nothing yet'}")
