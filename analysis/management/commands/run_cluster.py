"""One queue's cluster of workers, in the foreground; ``run_workers`` keeps one for each queue."""

from __future__ import annotations

import logging
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from sonicsite.cluster import serve


class Command(BaseCommand):
    help = "Work on one queue (named by Q_CLUSTER_NAME, default listen) until SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--beat",
            type=Path,
            required=True,
            help="file whose time of change shows that the cluster is alive",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        code = serve(options["beat"])
        logging.shutdown()
        # A normal exit would join the queues' feeder threads, which may wait for a dead worker.
        os._exit(code)
