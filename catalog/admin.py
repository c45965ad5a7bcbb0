"""The catalogue in Django's admin. Files go with their rows: see ``receivers``."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserChangeForm, UserCreationForm
from django.http import HttpRequest

from catalog.consent_models import ConsentEvent
from catalog.models import Album, Artist, Revision, ShareLink, Track, Upload, User


class _LowerCaseEmail:
    """Addresses are kept in lower case wherever they are typed in."""

    cleaned_data: dict[str, Any]

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class NewUserForm(_LowerCaseEmail, UserCreationForm):
    class Meta:
        model = User
        fields = ("email", "role")


class UserForm(_LowerCaseEmail, UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"  # the fieldsets below choose


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    form = UserForm
    add_form = NewUserForm
    list_display = ("email", "role", "is_active", "is_superuser", "date_joined", "last_login")
    list_filter = ("role", "is_active", "is_superuser")
    search_fields = ("email", "artist__name")
    ordering = ("email",)
    readonly_fields = ("date_joined", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password", "role", "quota_bytes")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        (
            "Permissions",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "role", "password1", "password2")}),)


@admin.register(Artist)
class ArtistAdmin(admin.ModelAdmin):
    list_display = ("name", "user", "default_genre", "auto_separate", "auto_voice", "created_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__email")
    raw_id_fields = ("user",)
    # Consent is the artist's alone to give.
    readonly_fields = ("picture", "may_train")


@admin.register(Album)
class AlbumAdmin(admin.ModelAdmin):
    list_display = ("title", "artist", "release_date", "created_at")
    list_select_related = ("artist",)
    search_fields = ("title", "artist__name")
    raw_id_fields = ("artist",)

    def get_readonly_fields(self, request: HttpRequest, obj: Album | None = None) -> Any:
        """An album keeps its owner: its tracks, their files and jobs name the same one."""
        return ("artwork",) if obj is None else ("artwork", "artist")


class _KeptAsItIs(admin.ModelAdmin):
    """Rows that only the product itself makes and changes; they can be looked at and deleted."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Track)
class TrackAdmin(admin.ModelAdmin):
    list_display = ("title", "version", "artist", "album", "discoverable", "created_at")
    list_select_related = ("artist", "album")
    list_filter = ("discoverable", "is_reference")
    search_fields = ("title", "artist__name", "album__title", "isrc")
    # Files, jobs and the right to hear them name the owner too.
    readonly_fields = ("artist", "album", "may_train")
    date_hierarchy = "created_at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A track comes with its file, through an upload."""
        return False


@admin.register(ConsentEvent)
class ConsentEventAdmin(_KeptAsItIs):
    """What was allowed, and when that ended: to be read, and neither changed nor deleted."""

    list_display = ("at", "artist", "scope", "track", "action", "by")
    list_select_related = ("artist", "track", "by")
    list_filter = ("action", "scope")
    search_fields = ("artist__name", "track__title")
    date_hierarchy = "at"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Revision)
class RevisionAdmin(_KeptAsItIs):
    list_display = ("track", "number", "original_name", "codec", "duration_s", "size_bytes")
    list_select_related = ("track",)
    search_fields = ("track__title", "original_name", "content_sha256", "artist__name")
    date_hierarchy = "created_at"


@admin.register(Upload)
class UploadAdmin(_KeptAsItIs):
    list_display = ("filename", "artist", "state", "reason_code", "length_bytes", "created_at")
    list_select_related = ("artist",)
    list_filter = ("state", "reason_code")
    search_fields = ("filename", "artist__name", "artist__user__email")
    date_hierarchy = "created_at"


@admin.register(ShareLink)
class ShareLinkAdmin(_KeptAsItIs):
    """The token is the key to the link, so it is not shown."""

    list_display = ("track", "label", "expires_at", "revoked_at", "views", "created_at")
    list_select_related = ("track",)
    search_fields = ("track__title", "label", "track__artist__name")
    exclude = ("token",)
