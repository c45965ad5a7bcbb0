from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Who owns what: accounts, artists, albums, tracks, uploads, private media, sharing."""

    name = "catalog"
    verbose_name = "Catalogue"

    def ready(self) -> None:
        from catalog import receivers  # noqa: F401
