"""Staff's view of jobs and reports."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from analysis import services
from analysis.models import Embedding, Job, Report, StreamingService


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):
    list_display = (
        "revision", "artist", "stage", "state", "percent", "attempts", "losses", "model_version",
        "queued_at", "run_seconds",
    )  # fmt: skip
    list_filter = ("state", "stage", "model_version", "reason_code")
    search_fields = ("revision__track__title", "artist__name", "id")
    raw_id_fields = ("revision", "artist", "waits_for")
    list_select_related = ("revision__track", "artist")
    actions = ("retry_failed",)

    @admin.action(description="Queue failed jobs again")
    def retry_failed(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        retried = sum(services.retry(job) for job in queryset)
        self.message_user(request, f"{retried} jobs were queued again.", messages.SUCCESS)


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):
    list_display = (
        "content_sha256",
        "stage",
        "genre",
        "genre_decided",
        "tempo_bpm",
        "key",
        "model_version",
    )
    list_filter = ("stage", "genre", "model_version")
    search_fields = ("content_sha256",)
    readonly_fields = tuple(field.name for field in Report._meta.fields)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Embedding)
class EmbeddingAdmin(admin.ModelAdmin):
    list_display = ("content_sha256", "model_version")
    list_filter = ("model_version",)
    search_fields = ("content_sha256",)
    exclude = ("vector",)
    readonly_fields = ("report", "content_sha256", "model_version")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(StreamingService)
class StreamingServiceAdmin(admin.ModelAdmin):
    """Staff keep the figures up to date; pages show them, with their date, at once."""

    list_display = (
        "name",
        "reference_lufs",
        "true_peak_dbtp",
        "turns_up",
        "as_of",
        "source_url",
        "order",
        "active",
    )
    list_editable = ("reference_lufs", "true_peak_dbtp", "turns_up", "as_of", "order", "active")
    list_filter = ("active",)
    search_fields = ("name",)
