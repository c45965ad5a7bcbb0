"""An artist lets an app act in her name: the library's flow in the site's look."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from oauth2_provider.views import AuthorizationView

from catalog.partner_models import Scope


class AuthoriseView(AuthorizationView):
    """Asks the artist; then sends her back to the app with a code."""

    template_name = "catalog/partners/authorise.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        asked = context.get("scopes") or []
        context["asked"] = [Scope(scope) for scope in asked if scope in Scope.values]
        context["host"] = urlsplit(str(context.get("redirect_uri", ""))).netloc
        return context

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().dispatch(request, *args, **kwargs)
        # A browser follows a form to the app's address only if the policy names it, and only
        # addresses that the app has registered come this far.
        target = urlsplit(str(getattr(self, "redirect_target", "")))
        if target.scheme in {"http", "https"} and target.netloc:
            response._csp_update = {"form-action": [f"{target.scheme}://{target.netloc}"]}
        return response

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if "error" not in context:
            self.redirect_target = context.get("redirect_uri", "")
        return super().render_to_response(context, **kwargs)
