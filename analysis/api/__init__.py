"""The partners' REST interface, /api/v1/."""
