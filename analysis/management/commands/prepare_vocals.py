"""Fill the pool of clips from consenting discographies and takes, here and now."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any, NoReturn

from django.core.management.base import BaseCommand

from analysis import background
from analysis.labels import pool_selectors, pool_services
from analysis.labels.models import PoolRun
from catalog.models import Artist

_LINES = (
    ("tracks", "Tracks allowed"),
    ("cut", "Tracks cut"),
    ("waiting", "Waiting for stems"),
    ("stemless", "Without stems"),
    ("takes", "Takes cut"),
    ("clips", "New clips"),
    ("duplicates", "Near-duplicates"),
    ("identical", "The same sound"),
    ("without_singing", "Without singing"),
    ("failed", "Could not be read"),
    ("predicted", "Heard by the model"),
)


class Command(BaseCommand):
    help = (
        "Separate, cut and compare the vocals of artists who allow training, and put the clips "
        "into the pool that is labelled. May be stopped and started again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--artist",
            action="append",
            metavar="NAME|EMAIL|ID",
            help="only this artist; may be given several times",
        )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="make missing stems here, or wait for workers that make them",
        )
        parser.add_argument("--json", action="store_true", help="print the totals as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.labels.pool_foreground import AlreadyOpen, run_here

        ids = None
        if options["artist"]:
            ids = [self._artist(text).pk for text in options["artist"]]
        self._said = ""
        self._to = self.stderr if options["json"] else self.stdout
        try:
            run = run_here(pool_services.scope_of(ids), wait=options["wait"], say=self._say)
        except AlreadyOpen as error:
            self._refuse(str(error))
        except background.Lost:
            self._refuse("The run was stopped. What it made is in the pool.")
        except background.Refused as error:
            self._refuse(error.message)
        if options["json"]:
            self.stdout.write(json.dumps(pool_selectors.summary(run), indent=2))
        else:
            self._print(run)

    def _artist(self, text: str) -> Artist:
        wanted = text.replace("\0", "").strip()
        found = list(Artist.objects.filter(user__email__iexact=wanted)[:2])
        found = found or list(Artist.objects.filter(name__iexact=wanted)[:2])
        if not found and wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
            found = list(Artist.objects.filter(pk=int(wanted)))
        if len(found) != 1:
            several = "Several artists are" if found else "No artist is"
            self._refuse(f"{several} called {wanted}. Name one by e-mail address or number.")
        if not found[0].may_train:
            self._refuse(f"{found[0].name} does not allow training.")
        return found[0]

    def _say(self, share: float, message: str) -> None:
        if message != self._said:
            self._said = message
            self._to.write(f"{100 * share:3.0f} %  {message}")
            self._to.flush()

    def _print(self, run: PoolRun) -> None:
        found = pool_selectors.summary(run)
        for name, label in _LINES:
            self.stdout.write(f"{label:<20} {found[name]:>7}")
        figures = pool_selectors.pool_figures()
        self.stdout.write(
            f"{'The pool':<20} {figures.clips:>7} clips of {figures.singers} singers, "
            f"{figures.hours:.2f} hours; {figures.held_out} clips held out, "
            f"{figures.duplicates} near-duplicates, {figures.unusable} unusable"
        )
        if not run.is_over:
            self.stdout.write("Workers go on when the stems are there (or use --wait).")

    def _refuse(self, message: str) -> NoReturn:
        """One clear line on stderr, exit code 2."""
        self.stderr.write(self.style.ERROR(" ".join(message.split())))
        sys.exit(2)
