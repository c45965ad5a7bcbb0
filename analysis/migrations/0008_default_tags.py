"""The tags that the shipped model knows, and the settings of the queue."""

from django.db import migrations

TAGS = [
    ("warm", "Warm", "w", "Full and round: strong low overtones, soft highs."),
    ("bright", "Bright", "b", "Clear and forward: strong overtones above 2 kHz."),
    ("breathy", "Breathy", "h", "Air is heard in the tone, as in a half-whisper."),
    ("rough", "Rough", "r", "Raspy, hoarse or growling: the tone itself is uneven."),
    ("clean", "Clean", "c", "A steady, pure tone without rasp, distortion or noise."),
]


def add(apps, schema_editor):
    tag = apps.get_model("analysis", "TimbreTag")
    for order, (slug, name, key, guideline) in enumerate(TAGS):
        tag.objects.get_or_create(
            slug=slug, defaults={"name": name, "key": key, "guideline": guideline, "order": order}
        )
    apps.get_model("analysis", "LabelSettings").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("analysis", "0007_labels_and_registry")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
