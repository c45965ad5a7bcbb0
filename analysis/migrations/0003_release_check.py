"""The release check's stage, and the streaming services as a table that staff keep up to date."""

from datetime import date

import django.core.validators
from django.db import migrations, models

STAGES = [
    ("listen", "Listening"),
    ("separate", "Stems"),
    ("voice", "Voice"),
    ("release", "Release check"),
]

READ_ON = date(2026, 6, 30)
SPOTIFY = "https://support.spotify.com/us/artists/article/loudness-normalization"
OVERVIEW = (
    "https://www.forasoft.com/learn/audio-for-video/articles-audio/lufs-targets-per-platform-2026"
)
AMAZON = "https://apu.software/amazon-music-loudness"
APPLE_AND_DEEZER = "https://www.production-expert.com/production-expert-1/apple-choose-16lufs-loudness-level-for-apple-music-heres-why"

# name, reference in LUFS, highest true peak in dBTP, whether quiet tracks are turned up, source
SERVICES = [
    ("Spotify", -14.0, -1.0, True, SPOTIFY),
    ("YouTube", -14.0, -1.0, False, OVERVIEW),
    ("Tidal", -14.0, -1.0, False, OVERVIEW),
    ("Amazon Music", -14.0, -2.0, False, AMAZON),
    ("Deezer", -15.0, -1.0, False, APPLE_AND_DEEZER),
    ("Apple Music", -16.0, -1.0, True, APPLE_AND_DEEZER),
]


def add_services(apps, schema_editor):
    service = apps.get_model("analysis", "StreamingService")
    for order, (name, reference_lufs, true_peak_dbtp, turns_up, source) in enumerate(SERVICES, 1):
        service.objects.get_or_create(
            name=name,
            defaults={
                "reference_lufs": reference_lufs,
                "true_peak_dbtp": true_peak_dbtp,
                "turns_up": turns_up,
                "as_of": READ_ON,
                "source_url": source,
                "order": order,
            },
        )


class Migration(migrations.Migration):
    dependencies = [
        ("analysis", "0002_genre_decided"),
    ]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="stage",
            field=models.CharField(choices=STAGES, max_length=16),
        ),
        migrations.AlterField(
            model_name="report",
            name="stage",
            field=models.CharField(choices=STAGES, max_length=16),
        ),
        migrations.CreateModel(
            name="StreamingService",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60, unique=True)),
                (
                    "reference_lufs",
                    models.FloatField(
                        help_text="In LUFS; louder tracks are turned down to it.",
                        validators=[
                            django.core.validators.MinValueValidator(-40.0),
                            django.core.validators.MaxValueValidator(0.0),
                        ],
                        verbose_name="reference loudness",
                    ),
                ),
                (
                    "true_peak_dbtp",
                    models.FloatField(
                        help_text="In dBTP, as the service advises it for deliveries.",
                        validators=[
                            django.core.validators.MinValueValidator(-12.0),
                            django.core.validators.MaxValueValidator(0.0),
                        ],
                        verbose_name="highest true peak",
                    ),
                ),
                (
                    "turns_up",
                    models.BooleanField(
                        default=False,
                        help_text="Quieter tracks are turned up, as far as the peak ceiling allows.",
                    ),
                ),
                (
                    "as_of",
                    models.DateField(
                        help_text="When the figures were last read at the source.",
                        verbose_name="as of",
                    ),
                ),
                ("source_url", models.URLField(blank=True, max_length=300, verbose_name="source")),
                ("order", models.PositiveSmallIntegerField(default=0)),
                ("active", models.BooleanField(default=True, help_text="Shown to artists.")),
            ],
            options={"ordering": ("order", "name")},
        ),
        migrations.RunPython(add_services, migrations.RunPython.noop),
    ]
