"""How allauth makes accounts here."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up, log-in and mail as allauth does them, with this site's model of a user."""
