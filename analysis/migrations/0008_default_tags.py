"""The tags that the shipped model knows, with their guidelines, and the settings of the queue."""

from django.db import migrations

WARM = """\
Full and round, with weight below: strong low overtones, soft highs. One could listen for long without tiring.

## Yes
- The body of the tone lies low: the fundamental and the first few overtones carry it, the top is rounded off.
- Vowels sound dark or covered, as with a low larynx and a wide throat (close to *sob* or an open *cry* in Estill's terms).
- S and T are soft.

## No
- Thin, lean, nasal or metallic tone; edge or ring in front of the body.
- Only the recording is bassy: a near microphone makes every voice boom on P and B. Judge the vowels.

## Not to be confused with
- **Breathy**: a half-whisper is often soft as well, but soft is not yet warm. Is there body under the air?
- **Low**: a high voice can be warm and a bass can be thin.
- **Bright** does not exclude it: a voice can have both body and ring, then say yes to both.
"""

BRIGHT = """\
Clear and forward, with strong overtones above about 2 kHz. It would still be heard over a loud band.

## Yes
- Ring or edge on the vowels: *twang* in Estill's terms, the singer's formant around 3 kHz, a spread smile-like vowel.
- The ear is drawn to the top of the tone, even on low notes.

## No
- Covered, dark or muffled vowels.
- Only S, T and breaths are sharp: that is a bright recording. Judge the vowels.
- Only high notes: judge the colour of the tone, not how high it is.

## Not to be confused with
- **Loud**: a quiet voice can be bright, and a loud one dark.
- **Rough**: edge is steady, roughness is uneven.
- **Breathy**: air adds hiss above the tone, brightness is in the tone itself.
"""

BREATHY = """\
Audible air escapes with the tone (the definition of CAPE-V, and B of the GRBAS scale), as in a half-whisper.

## Yes
- A soft hiss lies under or over the vowels for most of the clip: the vocal folds do not close fully.
- The beginnings of notes are aspirated, as in "hhold", and endings dissolve into air.
- Whispered singing, with hardly any tone, is breathy too.

## No
- Breaths *between* phrases, however loud they are.
- Long S, F or H sounds: judge the vowels.
- Hiss that goes on in the pauses: that is noise of the recording or of the separation.

## Not to be confused with
- **Rough**: breath noise is smooth and even like wind, roughness crackles or rattles. A hoarse voice has both: say yes to both.
- **Soft**: quiet singing on a firm tone is not breathy.
- **Warm**: see there.
"""

ROUGH = """\
The tone itself is uneven: an irregularity of the voice's source (the definition of CAPE-V, and R of the GRBAS scale).

## Yes
- Raspy, hoarse, gravelly, growling, screamed or distorted *singing*.
- Creak or vocal fry that lasts: single pulses are heard, as in a creaking door.
- A second, lower note seems to sound along, or the pitch breaks and flutters.

## No
- One short creak at the beginning or end of a phrase of an otherwise smooth clip.
- Vibrato, ornaments and slides: they are regular.
- Distortion of the recording: clipping, an overdriven microphone, tape or a lo-fi effect on everything. If you cannot say whether it is the voice or the effect, say that you can't tell.

## Not to be confused with
- **Breathy**: smooth air without rattle.
- **Strained**: effort alone is not roughness; listen for the unevenness.
- The warble that separation leaves where music was: it comes and goes with the music.

Raters differ most about this one, here and in the literature. That is no fault: answer as you hear it.
"""

CLEAN = """\
A steady, pure tone: no rasp, no distortion, hardly any breath noise.

## Yes
- Vowels are clear and even; the pitch is steady, or moves with a regular vibrato.
- Notes begin and end neatly.
- A plain, unprocessed sound, or processing that one does not notice.

## No
- Rasp, creak, growl or distortion for more than a moment.
- Air on most vowels.
- Noise, clipping, heavy effects or remains of the music that sound along with the voice.

## Not to be confused with
- **Bright**: clean can be dark.
- **Good**: a dull or out-of-tune voice can be clean, and a great one need not be.
- The opposite of **rough**: a voice may be neither, for instance when it is only breathy. A clip that is clearly rough or clearly breathy is not clean.
"""

TAGS = [
    ("warm", "Warm", "w", WARM),
    ("bright", "Bright", "b", BRIGHT),
    ("breathy", "Breathy", "h", BREATHY),
    ("rough", "Rough", "r", ROUGH),
    ("clean", "Clean", "c", CLEAN),
]


def add(apps, schema_editor):
    tag = apps.get_model("analysis", "TimbreTag")
    for order, (slug, name, key, guideline) in enumerate(TAGS):
        tag.objects.get_or_create(
            slug=slug,
            defaults={"name": name, "key": key, "guideline": guideline.strip(), "order": order},
        )
    apps.get_model("analysis", "LabelSettings").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("analysis", "0007_labels_and_registry")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
