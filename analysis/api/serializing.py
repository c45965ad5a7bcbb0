"""How bodies are read and written: strictly in, sparsely out.

Every serializer of the interface derives from one of these and has an ``example``, which the
documentation shows and a test checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers


class StrictChar(serializers.CharField):
    """Text that is text: numbers and truth values are refused."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBoolean(serializers.BooleanField):
    """``true`` or ``false``, no words or numbers for them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictInteger(serializers.IntegerField):
    """A whole number, not written as text."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictUUID(serializers.UUIDField):
    """An id in its usual form."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or len(data) != 36:
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class Input(serializers.Serializer):
    """A body that is read. Names that are not known are refused."""

    example: ClassVar[dict[str, Any]] = {}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name)[:60] for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    {name: ["This is not known here."] for name in unknown}, code="unknown"
                )
        return super().to_internal_value(data)


class Output(serializers.Serializer):
    """What is written. ``only`` in its context names the fields that were asked for."""

    example: ClassVar[dict[str, Any]] = {}

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        only = self.context.get("only")
        parent = self.parent
        outermost = parent is None or (
            isinstance(parent, serializers.ListSerializer) and parent.parent is None
        )
        if only is not None and outermost:
            return {name: field for name, field in fields.items() if name in only}
        return fields


class ProblemError(serializers.Serializer):
    """One thing that is wrong with a body."""

    field = serializers.CharField(help_text="Where; `items.3.title` inside a list; empty: overall.")
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemDocument(serializers.Serializer):
    """RFC 9457. `code` is stable; `detail` is for people and may change."""

    example: ClassVar[dict[str, Any]] = {
        "type": "/developers/#not_found",
        "title": "There is no such thing, or not for you",
        "status": 404,
        "code": "not_found",
        "detail": "There is no such thing, or not for you.",
        "request_id": "0b7f6c1e9a5d4c3f8e2b1a0d9c8b7a6f",
    }

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    request_id = serializers.CharField()
    reason = serializers.CharField(required=False, help_text="A finer code, where there is one.")
    errors = ProblemError(many=True, required=False)
