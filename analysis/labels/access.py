"""Who may label, and who may decide."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from catalog.access import View
from catalog.models import Role
from catalog.selectors import AnyUser


def may_label(user: AnyUser) -> bool:
    """Labelling staff, and all other staff."""
    return user.is_authenticated and (user.is_staff or user.role == Role.LABELLER)


def labeller_required(view: View) -> View:
    """For labelling staff and all other staff; anybody else gets 403."""
    return _only_for(may_label, view)


def staff_required(view: View) -> View:
    """For staff, who decide about labels and models; anybody else gets 403."""
    return _only_for(lambda user: user.is_staff, view)


def _only_for(may: Callable[[AnyUser], bool], view: View) -> View:
    @login_required
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked
