"""The frame of every call, and the five kinds of resource views.

A resource is a class that derives from one or more of :class:`Listing`, :class:`Creating`,
:class:`Reading`, :class:`Changing` and :class:`Deleting` and says what is its own: rows,
serializers, services. Everything else (who may, limits, conditions, idempotency, problems, schema)
is done here, the same for all. ``docs/api-contributing.md`` shows how to add one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import conditions, idempotency, paging, rates
from analysis.api.authentication import principal_of
from analysis.api.deprecation import Deprecation
from analysis.api.filters import Filter, a_number, narrowed, only_known
from analysis.api.principals import Principal
from analysis.api.problems import Problem
from analysis.api.serializing import Input, Output
from catalog.partner_models import Scope

SAFE = frozenset({"GET", "HEAD"})


class ApiView(GenericAPIView):
    """One address of the interface.

    Attributes
    ----------
    tag : group in the documentation.
    summaries : method -> one line for the documentation.
    scopes : method -> scope, where it differs from ``read`` for reading, ``write`` for the rest;
        empty: any known caller.
    costly : methods that also count against the limit of costly calls.
    repeatable : how a POST is made repeatable by an Idempotency-Key; None: it is not.
    parameters : method -> names allowed in the address beside those of its kind.
    deprecation : set when the address is to go.
    """

    tag: ClassVar[str] = ""
    summaries: ClassVar[Mapping[str, str]] = {}
    scopes: ClassVar[Mapping[str, str]] = {}
    costly: ClassVar[frozenset[str]] = frozenset()
    repeatable: ClassVar[idempotency.Way | None] = None
    parameters: ClassVar[Mapping[str, Sequence[Filter]]] = {}
    deprecation: ClassVar[Deprecation | None] = None
    http_method_names: ClassVar[list[str]] = ["get", "head", "post", "put", "patch", "delete"]
    queryset = None
    pagination_class = None
    filter_backends: ClassVar[list[Any]] = []

    principal: Principal | None = None
    counts: list[rates.Count]

    # --- The documentation asks these too ---------------------------------------------------------

    def scope_of(self, method: str) -> str:
        """The scope that a method needs; empty for none."""
        return self.scopes.get(method, Scope.READ if method in SAFE else Scope.WRITE)

    def known_parameters(self, method: str) -> list[Filter]:
        """What may stand in the address of a method."""
        return list(self.parameters.get(method, ()))

    # --- The frame --------------------------------------------------------------------------------

    @property
    def caller(self) -> Principal:
        """Who calls, where that is known to be somebody."""
        if self.principal is None:
            raise Problem("not_authenticated")
        return self.principal

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As the framework's, with the counting of calls and idempotency around the method."""
        self.args, self.kwargs, self.counts = args, kwargs, []
        self.headers = self.default_response_headers
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(self.request, *args, **kwargs)
            response = self._answer(self.request)
        except Exception as error:  # noqa: BLE001 (every error becomes a problem document)
            response = self.handle_exception(error)
        self.response = self.finalize_response(self.request, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Before a method: who calls, how often, may it, and is the address right."""
        self.format_kwarg = None
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.perform_authentication(request)
        self.principal = principal_of(request)
        request._request.api_principal = self.principal
        if self.principal is not None:
            self._count(self.principal, str(request.method))
        if self._handler(request) is None:
            raise MethodNotAllowed(str(request.method))
        self.check_permissions(request)
        method = "GET" if request.method == "HEAD" else str(request.method)
        only_known(request, {each.name for each in self.known_parameters(method)})

    def _count(self, principal: Principal, method: str) -> None:
        self.counts = [rates.count(principal.rate_key, rates.ORDINARY)]
        if method in self.costly:
            self.counts.append(rates.count(principal.rate_key, rates.COSTLY))
        for found in self.counts:
            if found.exceeded:
                raise Problem(
                    "rate_limited",
                    f"At most {found.policy.calls} calls a minute. Try again in {found.reset_s} s.",
                    headers={"Retry-After": str(found.reset_s)},
                )

    def _handler(self, request: Request) -> Any:
        name = str(request.method).lower()
        return getattr(self, name, None) if name in self.http_method_names else None

    def _answer(self, request: Request) -> Response:
        handler = self._handler(request)
        key = idempotency.key_of(request) if request.method == "POST" and self.repeatable else ""
        if not key or self.repeatable is None:
            return handler(request, *self.args, **self.kwargs)
        mark = idempotency.fingerprint(request, self.body_for_fingerprint(request))

        def answer() -> Response:
            try:
                response = handler(request, *self.args, **self.kwargs)
            except Exception as error:  # noqa: BLE001 (its answer is stored like any other)
                response = self.handle_exception(error)
            return response

        return idempotency.once(self.caller.key, key, mark, self.repeatable, answer)

    def body_for_fingerprint(self, request: Request) -> bytes:
        """The body as far as it tells one call from another."""
        return bytes(request._request.body)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        for name, value in rates.headers(self.counts).items():
            response[name] = value
        if self.deprecation is not None:
            for name, value in self.deprecation.headers().items():
                response[name] = f"{response[name]}, {value}" if name in response else value
        finished = super().finalize_response(request, response, *args, **kwargs)
        stored = getattr(response, "stored_body", None)
        if stored is not None:  # an earlier answer, given again byte by byte
            finished.content = stored
            finished["Content-Type"] = finished.content_type
        return finished

    # --- What methods use -------------------------------------------------------------------------

    def read(self, kind: type[Input], *, partial: bool = False) -> dict[str, Any]:
        """The body, checked. Raises ValidationError."""
        if not isinstance(self.request.data, Mapping):
            raise Problem("invalid", "The body is a JSON object.")
        serializer = kind(data=self.request.data, partial=partial, context=self.context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def context(self, only: frozenset[str] | None = None) -> dict[str, Any]:
        """What serializers may know."""
        return {"request": self.request, "principal": self.principal, "only": only}

    def only(self, kind: type[Output]) -> frozenset[str] | None:
        """``?fields=``: the names asked for; None for all. Raises Problem."""
        text = self.request.query_params.get("fields")
        if text is None:
            return None
        wanted = frozenset(name.strip() for name in text.split(","))
        known = kind().fields.keys()
        unknown = sorted(name for name in wanted if name not in known)
        if unknown:
            raise Problem(
                "invalid_parameter",
                f"fields: “{unknown[0][:60]}” is not known. Known: {', '.join(known)}.",
            )
        return wanted

    def conditional(self, data: Any, tag: str) -> Response:
        """``data`` with its entity tag, or 304 where the caller has it."""
        if conditions.not_modified(self.request.headers.get("If-None-Match"), tag):
            return Response(status=304, headers={"ETag": tag})
        return Response(data, headers={"ETag": tag})


FIELDS = Filter("fields", "", help="Only these fields, by name, with commas between.")
LIMIT = Filter(
    "limit",
    "",
    a_number,
    f"Rows of a page; {paging.DEFAULT_LIMIT} if not given.",
    bounds=(1, paging.MOST),
)
CURSOR = Filter("cursor", "", help="Where to go on: as `next` says; not to be made up.")


class Resource(ApiView):
    """An address of rows of one kind that belong to artists.

    Attributes
    ----------
    output : serializer of a row.
    owner : the way from a row to its artist, in field names.
    """

    output: ClassVar[type[Output]]
    owner: ClassVar[str] = "artist"

    def rows(self) -> QuerySet[Any]:
        """All rows, with everything that ``output`` needs; who sees which is decided elsewhere."""
        raise NotImplementedError

    def visible(self) -> QuerySet[Any]:
        """The rows that the caller may see."""
        return self.caller.visible(self.rows(), owner=self.owner)

    def write(self, row: Any, *, only: frozenset[str] | None = None) -> dict[str, Any]:
        """A row as ``output`` writes it."""
        return self.output(row, context=self.context(only)).data

    def address(self, row: Any) -> str:
        """The row's own address, for ``Location``."""
        raise NotImplementedError


class Listing(Resource):
    """GET: a page of the rows that the caller may see."""

    filters: ClassVar[Sequence[Filter]] = ()
    newest_by: ClassVar[str] = "created_at"

    def known_parameters(self, method: str) -> list[Filter]:
        found = super().known_parameters(method)
        return [*found, *self.filters, CURSOR, LIMIT, FIELDS] if method == "GET" else found

    def attach(self, rows: Sequence[Any]) -> None:
        """Hang further things on the rows of one page, in a fixed number of queries."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        only = self.only(self.output)
        rows = narrowed(self.visible(), request, self.filters)
        page = paging.page_of(rows, request, by=self.newest_by)
        self.attach(page.rows)
        data = {
            "results": self.output(page.rows, many=True, context=self.context(only)).data,
            "next": page.next_url,
        }
        response = self.conditional(data, conditions.tag_of(data))
        if page.next_url and response.status_code == 200:
            response["Link"] = f'<{page.next_url}>; rel="next"'
        return response


class Creating(Resource):
    """POST: a new row. ``create`` calls one service."""

    input: ClassVar[type[Input]]
    repeatable: ClassVar[idempotency.Way | None] = idempotency.Way.TRANSACTION

    def create(self, data: dict[str, Any]) -> Model:
        """Make the row. Raises Problem, ValidationError."""
        raise NotImplementedError

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.create(self.read(self.input))
        data = self.write(self.rows().get(pk=row.pk))
        headers = {"Location": self.address(row), "ETag": conditions.tag_of(data)}
        return Response(data, status=201, headers=headers)


class _One(Resource):
    """An address with one row's id in it."""

    key: ClassVar[str] = "pk"

    def one(self, scope: str) -> Any:
        """The row, if the caller may do what ``scope`` says. Raises Problem."""
        return self.caller.get(self.rows(), self.kwargs[self.key], scope=scope, owner=self.owner)

    def one_to_change(self) -> Any:
        """The row, held until the transaction ends, if the caller may change it and ``If-Match``
        agrees. Raises Problem."""
        row = self.one(self.scope_of(str(self.request.method)))
        type(row)._default_manager.select_for_update(of=("self",)).filter(pk=row.pk).first()
        row = self.one(self.scope_of(str(self.request.method)))
        tag = conditions.tag_of(self.write(row))
        conditions.check_match(self.request.headers.get("If-Match"), tag)
        return row


class Reading(_One):
    """GET: one row."""

    def known_parameters(self, method: str) -> list[Filter]:
        found = super().known_parameters(method)
        return [*found, FIELDS] if method == "GET" else found

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        only = self.only(self.output)
        data = self.write(self.one(self.scope_of("GET")))
        tag = conditions.tag_of(data, fields=only)
        if only is not None:
            data = {name: value for name, value in data.items() if name in only}
        return self.conditional(data, tag)


class Changing(_One):
    """PATCH: change what is given, leave the rest; ``change`` calls one service."""

    changes: ClassVar[type[Input]]

    def change(self, row: Any, data: dict[str, Any]) -> None:
        """Change the row. Raises Problem, ValidationError."""
        raise NotImplementedError

    def patch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            row = self.one_to_change()
            self.change(row, self.read(self.changes, partial=True))
        data = self.write(self.rows().get(pk=row.pk))
        return Response(data, headers={"ETag": conditions.tag_of(data)})


class Deleting(_One):
    """DELETE: the row goes; ``delete_row`` calls one service."""

    def delete_row(self, row: Any) -> None:
        """Delete the row. Raises Problem, ValidationError."""
        raise NotImplementedError

    def delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            self.delete_row(self.one_to_change())
        return Response(status=204)
