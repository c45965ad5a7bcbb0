"""Addresses of partners, grants, tokens and apps."""

from django.urls import path
from oauth2_provider.views import RevokeTokenView, TokenView

from catalog.views import oauth, partner_home, partners

urlpatterns = [
    path("partners/", partners.partners, name="partners"),
    path("partners/requests/<uuid:request_id>/", partners.grant_request, name="grant_request"),
    path("partners/grants/<uuid:grant_id>/revoke/", partners.grant_revoke, name="grant_revoke"),
    path("partners/apps/<int:app_id>/revoke/", partners.app_revoke, name="app_revoke"),
    path("partner/", partner_home.partner_home, name="partner_home"),
    path(
        "partner/requests/<uuid:request_id>/withdraw/",
        partner_home.request_withdraw,
        name="request_withdraw",
    ),
    path("partner/apps/", partner_home.partner_apps, name="partner_apps"),
    path(
        "partner/apps/<int:app_id>/delete/",
        partner_home.partner_app_delete,
        name="partner_app_delete",
    ),
    path("account/tokens/", partner_home.api_tokens, name="api_tokens"),
    path(
        "account/tokens/<uuid:token_id>/rotate/",
        partner_home.api_token_rotate,
        name="api_token_rotate",
    ),
    path(
        "account/tokens/<uuid:token_id>/revoke/",
        partner_home.api_token_revoke,
        name="api_token_revoke",
    ),
    path("oauth/authorize/", oauth.AuthoriseView.as_view(), name="oauth_authorize"),
    path("oauth/token/", TokenView.as_view(), name="oauth_token"),
    path("oauth/revoke_token/", RevokeTokenView.as_view(), name="oauth_revoke_token"),
]
