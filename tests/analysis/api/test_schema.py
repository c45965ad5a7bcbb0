"""The OpenAPI document: sound in itself, with examples that hold, and true of what is answered."""

from __future__ import annotations

import json
import os
from typing import Any

import hypothesis
import jsonschema
import pytest
import schemathesis
from django.core import signals
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from analysis.api.schema import document
from catalog.partner_models import Scope
from catalog.partner_tokens import create_token
from tests.analysis.api.test_permissions import NAMED

# `make fuzz-api` looks much longer.
EXAMPLES = int(os.environ.get("API_FUZZ_EXAMPLES", "3"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    return json.loads(document()[0])


def operations(openapi: dict[str, Any]):
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_the_document_is_openapi_3_1(openapi, client):
    assert openapi["openapi"].startswith("3.1")
    answer = client.get("/api/v1/openapi.json")
    assert answer.json() == openapi
    assert (
        client.get("/api/v1/openapi.json", headers={"If-None-Match": answer["ETag"]}).status_code
        == 304
    )
    ids = [operation["operationId"] for _, operation in operations(openapi)]
    assert len(ids) == len(set(ids))


def test_every_call_has_examples_and_they_are_valid(openapi):
    missing, checked = [], 0
    for name, operation in operations(openapi):
        assert operation["summary"], name
        bodies = [("request", operation.get("requestBody", {}).get("content", {}))]
        bodies += [
            (code, answer.get("content", {})) for code, answer in operation["responses"].items()
        ]
        for where, content in bodies:
            for kind, media in content.items():
                if "json" not in kind:
                    continue
                if not media.get("examples"):
                    missing.append(f"{name} {where}")
                    continue
                for example in media["examples"].values():
                    schema = {**media["schema"], "components": openapi["components"]}
                    jsonschema.validate(example["value"], schema)
                    checked += 1
    assert missing == []
    assert checked > 300


@pytest.fixture
def one_connection():
    """The test's transaction goes on over the ends of requests, as with Django's own client."""
    ends = (signals.request_started, signals.request_finished)
    for end in ends:
        end.disconnect(close_old_connections)
    yield
    for end in ends:
        end.connect(close_old_connections)


@pytest.mark.usefixtures("one_connection")
def test_no_call_breaks_or_answers_what_the_document_does_not_say(world, settings):
    settings.API_CALLS_PER_MINUTE = settings.API_COSTLY_CALLS_PER_MINUTE = 10**6
    settings.API_REQUEST_BURST = 10**6
    secret = create_token(world.artist.user, name="Fuzz", scopes=Scope.values).secret
    headers = {"Authorization": f"Bearer {secret}", "Accept-Encoding": "identity"}
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", WSGIHandler())
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        # Streams have tests of their own; a fuzzer would wait for their end.
        if "/events/" in operation.path:
            continue
        # Pieces of resumable uploads are tested with real ones.
        if operation.path.endswith("/tus/{upload_id}/") and operation.method == "patch":
            continue
        strategy = operation.as_strategy()

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(case=strategy)
        def run(case):
            nonlocal tried
            _name_what_is_there(case, world)
            case.call_and_validate(headers=headers, checks=CHECKS)
            tried += 1

        run()
    assert tried >= 30 * min(EXAMPLES, 3)
    cache.clear()


def _name_what_is_there(case: Any, world: Any) -> None:
    """Half of the calls are about things that exist: those of made-up ids are all 404."""
    if len(str(case.path_parameters)) % 2:
        return
    for name in case.path_parameters or {}:
        if name in NAMED:
            case.path_parameters[name] = NAMED[name]
        held = getattr(world, name.removesuffix("_id"), None)
        if held is not None:
            case.path_parameters[name] = str(held.pk)
