"""WSGI entry point."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sonicsite.settings")
application = get_wsgi_application()
# It needs the apps, which are ready by now.
import_module("analysis.registry.following").follow_in_web_processes()
# Load all views now, once, before the server forks: not at somebody's first click.
_ = get_resolver().url_patterns
