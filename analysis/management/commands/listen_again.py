"""``manage.py listen_again [--artist WHO] [--older]``: bring reports up to today's version."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from analysis import listening_again
from analysis.neural.weights import WeightsUnavailable
from catalog.models import Artist


class Command(BaseCommand):
    help = (
        "Queue a listening job, at low priority, for the newest version of every track whose "
        "report was made by another version of the models or measurements than today's. Run it "
        "after an update; running it again queues nothing twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--artist", metavar="WHO", help="only this artist's tracks: id, e-mail address or name"
        )
        parser.add_argument(
            "--older", action="store_true", help="earlier versions of the tracks as well"
        )
        parser.add_argument(
            "--without-sections",
            action="store_true",
            help="instead, the tracks that were heard before sections were kept, which tell "
            "which part of one song is like which of another",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        artist = _artist(options["artist"]) if options["artist"] else None
        try:
            if options["without_sections"]:
                queued = listening_again.request_sections(artist)
                self.stdout.write(f"{queued} heard before sections were kept: queued again.")
                return
            done = listening_again.request(artist, with_earlier=options["older"])
        except (WeightsUnavailable, KeyError, ValueError, OSError) as error:
            raise CommandError(f"The listening model cannot be used: {error}") from error
        self.stdout.write(
            f"{done.found} heard by other versions: {done.queued} queued, {done.waiting} waiting "
            f"already, {done.failed} failed with today's version and left alone."
        )


def _artist(who: str) -> Artist:
    """Raises CommandError for nobody and for several."""
    names = Q(user__email__iexact=who) | Q(name__iexact=who)
    found = Artist.objects.filter(Q(pk=int(who)) if who.isdecimal() else names)
    if not found:
        raise CommandError(f"There is no artist {who!r}.")
    if len(found) > 1:
        ids = ", ".join(str(artist.pk) for artist in found)
        raise CommandError(f"Several artists are called {who!r}: name one by its id, {ids}.")
    return found[0]
