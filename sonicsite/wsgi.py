"""WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sonicsite.settings")
application = get_wsgi_application()
# Load all views now, once, before the server forks: not at somebody's first click.
_ = get_resolver().url_patterns
