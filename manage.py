#!/usr/bin/env python
"""Django's command line for Sonic Vision Pro."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent

# Commands that work without a database, and so must not start the embedded server.
WITHOUT_DATABASE = frozenset(
    {
        "analyze",
        "bench",
        "bench_search",
        "check",
        "collectstatic",
        "compilemessages",
        "diffsettings",
        "evaluate_ears",
        "findstatic",
        "help",
        "makemessages",
        "measure_targets",
        "predict_mels",
        "sendtestemail",
        "test",
        "train_genre",
        "version",
    }
)


def needs_database(arguments: list[str]) -> bool:
    """Whether the command line names a command that talks to the database."""
    if not arguments or arguments[0] in WITHOUT_DATABASE or arguments[0].startswith("-"):
        return False
    return not {"-h", "--help"} & set(arguments)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sonicsite.settings")
    from django.core.management import execute_from_command_line

    from sonicsite.environment import data_dir

    with ExitStack() as held:
        given = os.environ.get("DATABASE_URL") or os.environ.get("EMBEDDED_DATABASE_URL")
        if not given and needs_database(sys.argv[1:]):
            from sonicsite import embedded_postgres

            try:
                url = held.enter_context(embedded_postgres.in_use(data_dir(BASE_DIR)))
            except (embedded_postgres.EmbeddedPostgresError, OSError) as error:
                sys.exit(f"The database cannot start: {error}")
            os.environ["EMBEDDED_DATABASE_URL"] = url
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
