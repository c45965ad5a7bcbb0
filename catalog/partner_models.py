"""Partners: their tokens, what artists let them do, and what they used."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

REQUEST_VALID_FOR = timedelta(days=14)


class Scope(models.TextChoices):
    """What a token, a grant or an app may do. Nothing includes anything else."""

    READ = "read", "See the catalogue and its analyses"
    WRITE = "write", "Add, change and delete music, and ask for analyses"
    AUDIO = "audio", "Download sound: files and stems"
    WEBHOOKS = "webhooks", "Manage the account's webhooks"


# What an artist can let a partner do with her music; webhooks are the partner's own affair.
GRANT_SCOPES = (Scope.READ, Scope.WRITE, Scope.AUDIO)


def scopes_field(help_text: str) -> ArrayField:
    """A column for a set of :class:`Scope`."""
    return ArrayField(
        models.CharField(max_length=16, choices=Scope), default=list, help_text=help_text
    )


class PartnerToken(models.Model):
    """A secret that stands for an account in the API. Only its hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("catalog.User", on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80, help_text="Where it is used, for people.")
    prefix = models.CharField(max_length=16, help_text="How the token begins, to tell it apart.")
    secret_sha256 = models.CharField(max_length=64, unique=True)
    scopes = scopes_field("What it may do at most; grants can only narrow it.")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(
        null=True, blank=True, help_text="To the minute: written at most once in one."
    )
    rotated_from = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="successors"
    )
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_live(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (
            self.expires_at is None or self.expires_at > timezone.now()
        )


class PartnerGrant(models.Model):
    """An artist lets a partner's account work with her music, until she takes it back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    artist = models.ForeignKey(
        "catalog.Artist", on_delete=models.CASCADE, related_name="partner_grants"
    )
    partner = models.ForeignKey(
        "catalog.User", on_delete=models.CASCADE, related_name="grants_received"
    )
    scopes = scopes_field("What the partner may do with this artist's music.")
    given_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-given_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["artist", "partner"],
                condition=models.Q(revoked_at__isnull=True),
                name="grant_once_while_live",
            ),
        )

    def __str__(self) -> str:
        return f"{self.artist} lets {self.partner}"


class GrantRequest(models.Model):
    """A partner asks an artist to let it work with her music. Whoever knows the id has the link."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.ForeignKey(
        "catalog.User", on_delete=models.CASCADE, related_name="grants_asked"
    )
    email = models.EmailField(
        blank=True, help_text="Whom it is for; empty: whoever opens the link and says yes."
    )
    scopes = scopes_field("What the partner asks for.")
    note = models.CharField(max_length=300, blank=True, help_text="What it is wanted for.")
    answered_by = models.ForeignKey(
        "catalog.Artist", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    grant = models.ForeignKey(
        PartnerGrant, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["email", "answered_at"]),)

    def __str__(self) -> str:
        return f"{self.partner} asks {self.email or 'by link'}"

    @property
    def is_open(self) -> bool:
        """Neither answered nor expired."""
        return self.answered_at is None and self.expires_at > timezone.now()


class IdempotencyRecord(models.Model):
    """What came of a creating call, so that the same call again gets the same answer."""

    principal = models.CharField(max_length=80, help_text="Whose key it is: see the API's access.")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, address and body.")
    status = models.PositiveSmallIntegerField(null=True, help_text="Empty while it is under way.")
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["principal", "key"], name="idempotency_key_once"),
        )

    def __str__(self) -> str:
        return f"{self.principal} {self.key}"


class UsageDay(models.Model):
    """The calls of one day (UTC) by one token, or by one app in an account's name."""

    user = models.ForeignKey("catalog.User", on_delete=models.CASCADE, related_name="api_usage")
    token = models.ForeignKey(
        PartnerToken, on_delete=models.CASCADE, null=True, blank=True, related_name="usage"
    )
    application = models.CharField(max_length=100, blank=True, help_text="An OAuth client's id.")
    day = models.DateField()
    calls = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0, help_text="Answers of 400 and above.")
    bytes_out = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("-day",)
        constraints = (
            models.UniqueConstraint(
                fields=["user", "token", "application", "day"],
                nulls_distinct=False,
                name="usage_day_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}: {self.calls}"


class RateWindow(models.Model):
    """How many calls a principal has made in the running minute: one row each, exact for all web
    processes."""

    key = models.CharField(max_length=120, primary_key=True)
    window = models.BigIntegerField(help_text="Which window: Unix time by its length.")
    calls = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.key}: {self.calls}"
