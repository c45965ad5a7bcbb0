"""All addresses of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("catalog.urls")),
    path("", include("analysis.urls")),
    path("", include("sonicsite.health_urls")),
]
