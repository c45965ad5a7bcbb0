"""Reading the environment: where data lives, which database, which secret.

Nothing here imports Django settings, so that launchers can use it too.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

# A database that vanishes without a word is noticed within half a minute.
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 30_000,
}


def flag(name: str, default: bool) -> bool:
    """An on/off variable: 1, true, yes, on (any case) mean on; unset means ``default``."""
    value = os.environ.get(name)
    return default if value is None or value == "" else value.lower() in {"1", "true", "yes", "on"}


def number(name: str, default: int) -> int:
    """A whole number; raises ValueError naming the variable if it is not one."""
    value = os.environ.get(name, "")
    try:
        return int(value) if value else default
    except ValueError:
        raise ValueError(f"{name} must be a whole number, not {value!r}") from None


def words(name: str, default: str) -> list[str]:
    """A list separated by spaces or commas."""
    return os.environ.get(name, default).replace(",", " ").split()


def data_dir(base_dir: Path) -> Path:
    """Folder of everything that the product writes (``DATA_DIR``; default ``.data`` in the tree,
    ignored by git). Not created here."""
    return Path(os.environ.get("DATA_DIR") or base_dir / ".data").resolve()


def secrets_dir(directory: Path) -> Path:
    """Where secrets made at the first run are kept: ``DATA_DIR`` if somebody chose one, else the
    user's configuration folder, so that nothing secret ever stands inside the source tree."""
    if os.environ.get("DATA_DIR"):
        return directory
    configuration = os.environ.get("XDG_CONFIG_HOME")
    try:
        base = Path(configuration) if configuration else Path.home() / ".config"
        (base / "sonic-vision-pro").mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, or one that cannot be written
        return directory
    return base / "sonic-vision-pro"


def secret_key(directory: Path) -> str:
    """``SECRET_KEY``, or one made at the first run and kept in ``directory`` with mode 600."""
    given = os.environ.get("SECRET_KEY")
    if given:
        return given
    path = directory / "secret_key"
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    directory.mkdir(parents=True, exist_ok=True)
    # Written whole under another name first: whoever finds the key, finds all of it.
    with tempfile.NamedTemporaryFile("w", dir=directory, prefix=".secret_key-") as file:
        file.write(secrets.token_urlsafe(64))
        file.flush()
        with suppress(FileExistsError):  # another process was first
            os.link(file.name, path)
    return path.read_text()


def embedded_url_file(directory: Path) -> Path:
    """File in which a running embedded PostgreSQL's address is written by its launcher."""
    return directory / "postgres.url"


def database_config(directory: Path) -> dict[str, Any]:
    """Django's database settings from ``DATABASE_URL``, else from the embedded server's address."""
    url = os.environ.get("DATABASE_URL") or os.environ.get("EMBEDDED_DATABASE_URL")
    if not url:
        file = embedded_url_file(directory)
        # A placeholder keeps commands without a database (analyze, help) usable before first start.
        url = file.read_text().strip() if file.exists() else "postgresql://postgres@/postgres"
    return parse_database_url(url)


def parse_database_url(url: str) -> dict[str, Any]:
    """Translate ``postgresql://user:password@host:port/name?host=/socket/dir`` for Django.

    Raises ValueError for anything that is not PostgreSQL.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ValueError(f"DATABASE_URL must name a PostgreSQL database, not {parts.scheme!r}")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": str(parts.port or query.pop("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**_PATIENCE, **query},
    }
