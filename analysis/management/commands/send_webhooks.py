"""The process that sends webhooks; ``run_workers`` keeps one beside its clusters."""

from __future__ import annotations

import logging
import os
import signal
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from analysis.api.webhooks.sender import Sender


class Command(BaseCommand):
    help = "Send webhooks until SIGTERM. Any number of machines can run this beside each other."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--until-idle", action="store_true", help="end when nothing is due")

    def handle(self, *args: Any, **options: Any) -> None:
        sender = Sender()

        def ask_to_stop(number: int, frame: object) -> None:
            sender.stop()

        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, ask_to_stop)
        made = sender.run(until_idle=options["until_idle"])
        if options["until_idle"]:
            sys.stdout.write(f"{made} attempts\n")
        if sender.is_busy:
            # Somebody is slow to answer; their message comes again with the same id.
            logging.shutdown()
            os._exit(0)
