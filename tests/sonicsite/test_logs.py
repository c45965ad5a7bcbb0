"""Log lines that machines can read, with the ids that tie them together."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import uuid

import pytest
from django.conf import settings as site
from django.urls import reverse

from sonicsite.logs import IdFilter, job_id, request_id
from sonicsite.server_log import without_secrets


@pytest.fixture
def json_lines():
    """A logger that writes as production does; calling it gives the parsed lines."""
    stream = io.StringIO()
    formatter = dict(site.LOGGING["formatters"]["json"])
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": formatter},
            "filters": {"ids": {"()": IdFilter}},
            "handlers": {
                "test": {
                    "class": "logging.StreamHandler",
                    "stream": stream,
                    "formatter": "json",
                    "filters": ["ids"],
                }
            },
            "loggers": {"under.test": {"handlers": ["test"], "level": "INFO", "propagate": False}},
        }
    )
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_has_time_level_message_and_ids(json_lines):
    request, job = request_id.set("r-1"), job_id.set("j-2")
    logging.getLogger("under.test").warning("decoded %s", "a\nb", extra={"seconds": 1.5})
    request_id.reset(request)
    job_id.reset(job)
    (line,) = json_lines()
    assert line["message"] == "decoded a\nb"
    assert line["level"] == "WARNING"
    assert line["logger"] == "under.test"
    assert (line["request_id"], line["job_id"]) == ("r-1", "j-2")
    assert line["seconds"] == 1.5
    assert line["time"][:2] == "20"


def test_exception_is_part_of_its_line(json_lines):
    try:
        raise ValueError("no such file")
    except ValueError:
        logging.getLogger("under.test").exception("failed")
    (line,) = json_lines()
    assert "ValueError: no such file" in line["exc_info"]


def test_every_answer_names_its_request(client):
    first, second = client.get("/healthz"), client.get("/healthz")
    assert len(first["X-Request-ID"]) == 32
    assert first["X-Request-ID"] != second["X-Request-ID"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("edge-42.a_b", True), ("two words", False), ("x" * 65, False), ('"}\n{"', False)],
)
def test_id_from_a_front_end_is_kept_only_if_harmless(client, given, kept):
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert (answer["X-Request-ID"] == given) is kept


def test_addresses_in_the_log_open_nothing():
    addresses = {
        reverse("shared", args=["TOKEN"]): "/s/-/",
        reverse("shared_file", args=["TOKEN", "heat.png"]): "/s/-/heat.png",
        reverse("revision_audio", args=[uuid.UUID(int=1)]) + "?share=TOKEN": None,
        reverse("account_reset_password_from_key", args=["1", "TOKEN"]): None,
        reverse("account_confirm_email", args=["TOKEN"]): None,
        "/library/?q=x": "/library/",
    }
    for address, wanted in addresses.items():
        written = without_secrets(address)
        assert "TOKEN" not in written
        assert wanted is None or written == wanted
