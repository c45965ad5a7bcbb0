"""ASGI entry point."""

import os
from importlib import import_module

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sonicsite.settings")
application = get_asgi_application()
# It needs the apps, which are ready by now.
import_module("analysis.registry.following").follow_in_web_processes()
