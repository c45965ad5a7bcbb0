"""Pages of an account's webhooks: list, making, changing, what was sent, sending it again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from analysis.api.webhooks import message, selectors, services, signing
from analysis.api.webhooks.forms import EndpointForm, RotateForm
from analysis.api.webhooks.kinds import KINDS
from catalog.access import UserRequest, find_artist, offer_artist_page
from catalog.forms import add_errors
from catalog.models import Role, WebhookEndpoint
from catalog.webhook_models import DeliveryState

PER_PAGE = 25
_SECRET = "webhook_secret"
View = Callable[..., HttpResponseBase]


def _for_listeners(view: View) -> View:
    """Partners, and whoever has an artist page: nobody else has anything to be told of."""

    @login_required
    @never_cache
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = cast(UserRequest, request).user
        if user.role != Role.PARTNER and find_artist(user) is None:
            return offer_artist_page(request)
        return view(request, *args, **kwargs)

    return checked


@_for_listeners
@require_safe
def webhooks(request: UserRequest) -> HttpResponse:
    """The account's webhooks."""
    endpoints = list(selectors.endpoints_of(request.user))
    context = {
        "endpoints": [
            {"endpoint": endpoint, "events": [KINDS[name].label for name in endpoint.events]}
            for endpoint in endpoints
        ],
        "is_full": len(endpoints) >= services.MAX_ENDPOINTS,
        "max_endpoints": services.MAX_ENDPOINTS,
    }
    return render(request, "webhooks/list.html", context)


@_for_listeners
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_new(request: UserRequest) -> HttpResponse:
    """Make a webhook; its page then shows the secret, once."""
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            endpoint, secret = services.create_endpoint(
                request.user, site_url=request.build_absolute_uri("/"), **form.cleaned_data
            )
        except ValidationError as error:
            add_errors(form, error)
        else:
            _show_once(request, endpoint, secret)
            return redirect("webhook", endpoint.pk)
    return _form(request, form, None)


@_for_listeners
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_edit(request: UserRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    """Change a webhook's address or events."""
    endpoint = selectors.get_endpoint(request.user, endpoint_id)
    form = EndpointForm(request.POST or None, endpoint=endpoint)
    if request.method == "POST" and form.is_valid():
        try:
            services.update_endpoint(endpoint, **form.cleaned_data)
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, "The webhook is saved.")
            return redirect("webhook", endpoint.pk)
    # The form's service writes into the row while it checks; show what is saved.
    return _form(request, form, selectors.get_endpoint(request.user, endpoint_id))


@_for_listeners
@require_safe
def webhook(request: UserRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    """One webhook: its state, its secret right after it was made, and what was sent."""
    endpoint = selectors.get_endpoint(request.user, endpoint_id)
    state = request.GET.get("state", "")
    if state not in DeliveryState.values:
        state = ""
    page = Paginator(selectors.deliveries_of(endpoint, state=state), PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "endpoint": endpoint,
        "events": [KINDS[name].label for name in endpoint.events],
        "secret": _shown_once(request, endpoint),
        "rotate_form": RotateForm(),
        "page_obj": page,
        "deliveries": [
            {
                "delivery": delivery,
                "label": KINDS[delivery.event.kind].label,
                "message_id": message.message_id(delivery.event),
                "body": json.dumps(
                    message.document(endpoint, delivery.event), indent=2, ensure_ascii=False
                ),
                "can_replay": endpoint.active
                and delivery.state in (DeliveryState.DELIVERED, DeliveryState.DEAD),
            }
            for delivery in page
        ],
        "state": state,
        "states": DeliveryState.choices,
    }
    return render(request, "webhooks/detail.html", context)


@_for_listeners
@require_POST
def webhook_action(request: UserRequest, endpoint_id: uuid.UUID, action: str) -> HttpResponse:
    """A button of a webhook's page."""
    endpoint = selectors.get_endpoint(request.user, endpoint_id)
    try:
        text = _ACTIONS[action](request, endpoint)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, text)
    if action == "delete":
        return redirect("webhooks")
    return redirect("webhook", endpoint_id)


@_for_listeners
@require_POST
def webhook_replay(
    request: UserRequest, endpoint_id: uuid.UUID, delivery_id: uuid.UUID
) -> HttpResponse:
    """Send one message again."""
    endpoint = selectors.get_endpoint(request.user, endpoint_id)
    delivery = selectors.get_delivery(endpoint, delivery_id)
    try:
        if services.replay(delivery):
            messages.success(request, "It is sent again now.")
        else:
            messages.info(request, "It waits to be sent anyway.")
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("webhook", endpoint_id)


def _ping(request: UserRequest, endpoint: WebhookEndpoint) -> str:
    services.ping(endpoint)
    return "A test is on its way. Reload in a moment to see what came of it."


def _rotate(request: UserRequest, endpoint: WebhookEndpoint) -> str:
    form = RotateForm(request.POST)
    if not form.is_valid():
        raise ValidationError("Choose how long the old secret goes on signing.")
    hours = form.cleaned_data["overlap"]
    secret = services.rotate_secret(endpoint, overlap=timedelta(hours=hours))
    _show_once(request, endpoint, secret)
    return "There is a new secret. Copy it now: it is shown only once."


def _replay_dead(request: UserRequest, endpoint: WebhookEndpoint) -> str:
    count = services.replay_dead(endpoint)
    return f"{count} message{'' if count == 1 else 's'} will be sent again."


def _switch_on(request: UserRequest, endpoint: WebhookEndpoint) -> str:
    services.update_endpoint(endpoint, active=True)
    return "The webhook is on."


def _switch_off(request: UserRequest, endpoint: WebhookEndpoint) -> str:
    services.update_endpoint(endpoint, active=False)
    return "The webhook is off. Nothing is sent, and what happens meanwhile is not kept for it."


def _delete(request: UserRequest, endpoint: WebhookEndpoint) -> str:
    services.delete_endpoint(endpoint)
    return "The webhook is deleted."


_ACTIONS: dict[str, Callable[[UserRequest, WebhookEndpoint], str]] = {
    "ping": _ping,
    "rotate": _rotate,
    "replay": _replay_dead,
    "on": _switch_on,
    "off": _switch_off,
    "delete": _delete,
}


def _show_once(request: UserRequest, endpoint: WebhookEndpoint, secret: str) -> None:
    request.session[_SECRET] = [str(endpoint.pk), signing.seal(secret)]


def _shown_once(request: UserRequest, endpoint: WebhookEndpoint) -> str:
    if request.method != "GET":
        return ""
    kept = request.session.get(_SECRET)
    if not kept or kept[0] != str(endpoint.pk):
        return ""
    del request.session[_SECRET]
    return signing.unseal(kept[1])


def _form(
    request: UserRequest, form: EndpointForm, endpoint: WebhookEndpoint | None
) -> HttpResponse:
    context = {"form": form, "endpoint": endpoint}
    return render(request, "webhooks/form.html", context, status=422 if form.errors else 200)
