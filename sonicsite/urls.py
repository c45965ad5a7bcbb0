"""All addresses of the site."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

# Staff log in where everybody does: with rate limits and, if they set it up, a second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/", include("analysis.api.urls")),
    path("", include("catalog.urls")),
    path("", include("catalog.partner_urls")),
    path("", include("analysis.api.pages")),
    path("", include("analysis.urls")),
    path("", include("sonicsite.health_urls")),
]

handler400 = "sonicsite.errors.bad_request"
