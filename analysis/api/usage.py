"""What was used: calls, errors and bytes, per token (or app) and day."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection

from analysis.api.principals import Principal
from analysis.api.rates import WITHOUT_WAITING
from catalog.partner_models import UsageDay

_RECORD = f"""
{WITHOUT_WAITING}
INSERT INTO {UsageDay._meta.db_table} AS seen
    (user_id, token_id, application, day, calls, errors, bytes_out)
SELECT %s, %s::uuid, %s, %s, 1, %s, %s FROM quick
ON CONFLICT (user_id, token_id, application, day) DO UPDATE SET
    calls = seen.calls + 1,
    errors = seen.errors + excluded.errors,
    bytes_out = seen.bytes_out + excluded.bytes_out
"""


def record(principal: Principal, *, status: int, bytes_out: int) -> None:
    """Count one answered call. Calls of the site's own pages are not counted."""
    if principal.kind == "session":
        return
    token_id = principal.token.pk if principal.token is not None else None
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            [
                principal.user.pk,
                token_id,
                principal.application,
                datetime.now(UTC).date(),
                int(status >= 400),
                bytes_out,
            ],
        )
