"""Scopes: what a caller's token must include for a call. On whose music, its principal decides."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from analysis.api.problems import Problem


class ScopePermission(BasePermission):
    """Known callers whose token has the scope of the view's method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        principal = view.principal
        if principal is None:
            return False
        scope = view.scope_of(request.method)
        if scope and scope not in principal.scopes:
            raise Problem("missing_scope", f"The token lacks the scope “{scope}”.")
        return True


class Public(BasePermission):
    """Everybody, also without a token."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return True
