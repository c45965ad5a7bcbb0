from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """What the machine hears."""

    name = "analysis"
    verbose_name = "Analysis"

    def ready(self) -> None:
        from analysis import receivers

        receivers.connect()
