"""``manage.py load_demo``: the demo accounts and their discographies, once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from catalog import demo


class Command(BaseCommand):
    help = "Load the demo discography and its accounts, once; print the log-ins."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError(
                "Demo accounts have published passwords, so they are made only in the embedded "
                "default (no DATABASE_URL, DEMO not switched off)."
            )
        try:
            loaded = demo.load()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Demo discography loaded." if loaded else "The demo is there already.")
        width = max(len(account.email) for account in demo.ACCOUNTS)
        for account in demo.ACCOUNTS:
            what = "admin" if account.superuser else account.role.label.lower()
            name = f", {account.artist_name}" if account.style else ""
            self.stdout.write(f"  {account.email:<{width}}  {demo.PASSWORD}  ({what}{name})")
