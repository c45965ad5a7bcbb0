"""What people fill in on the page of the lyrics."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from analysis.lyrics_document import MOST_ALIGNED_CHARACTERS, MOST_TEXT_BYTES, LyricsRefused
from analysis.lyrics_languages import LANGUAGES
from analysis.lyrics_reading import ReadLyrics, decode_text, read_lyrics

LANGUAGE_CHOICES = [("", "Find out by itself"), *LANGUAGES.items()]


class ListenForm(forms.Form):
    """In which language the words are to be heard."""

    language = forms.ChoiceField(choices=LANGUAGE_CHOICES, required=False, label="Sung in")


class ImportForm(forms.Form):
    """The artist's own text, pasted or as a file; cleaned, ``read`` is what was read out of it."""

    text = forms.CharField(
        required=False,
        strip=False,
        label="Your text",
        widget=forms.Textarea(
            attrs={"rows": 8, "maxlength": MOST_TEXT_BYTES, "spellcheck": "false"}
        ),
        help_text="One sung line to a row. Headings in square brackets are left out.",
    )
    file = forms.FileField(
        required=False,
        label="Or a file",
        help_text="Plain text, LRC, SRT or WebVTT, up to 64 KB.",
        widget=forms.FileInput(attrs={"accept": ".txt,.lrc,.srt,.vtt,text/plain,text/vtt"}),
    )
    language = forms.ChoiceField(choices=LANGUAGE_CHOICES, required=False, label="Sung in")
    keep_times = forms.BooleanField(
        required=False,
        label="Keep the times of the file",
        help_text="For LRC, SRT and WebVTT. Without it every text is timed to the voice.",
    )
    base = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    read: ReadLyrics

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        text, file = cleaned.get("text", ""), cleaned.get("file")
        if self.errors:
            return cleaned
        if not text.strip() and file is None:
            raise ValidationError("Paste your text, or choose a file.")
        if text.strip() and file is not None:
            raise ValidationError("There is a text and a file. Leave one of them out.")
        try:
            self.read = read_lyrics(text if file is None else decode_text(file.read()))
        except LyricsRefused as refused:
            raise ValidationError(
                [
                    f"Line {error.line}: {error.message}" if error.line else error.message
                    for error in refused.errors
                ]
            ) from refused
        if cleaned.get("keep_times") and not self.read.timed:
            self.add_error("keep_times", "There are no times in this text.")
        too_long = len("\n".join(self.read.lines)) > MOST_ALIGNED_CHARACTERS
        if too_long and not cleaned.get("keep_times"):
            raise ValidationError(
                f"Up to {MOST_ALIGNED_CHARACTERS:,} characters can be timed to the voice."
            )
        return cleaned
