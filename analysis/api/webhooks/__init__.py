"""Webhooks: what happened is written down with it, and sent, signed, to whoever may know."""
