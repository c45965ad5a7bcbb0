"""``manage.py tidy_uploads``: clean up behind broken uploads."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from catalog.services import tidy_uploads


class Command(BaseCommand):
    help = "Finish or drop uploads that were left lying, and remove files that belong to nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        done = tidy_uploads()
        self.stdout.write(
            f"{done.finished} uploads finished, {done.expired} expired, "
            f"{done.spooled_files} parts and {done.stored_files} stored files removed."
        )
