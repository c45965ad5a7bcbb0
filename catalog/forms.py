"""What people fill in. Rules live in the services; forms turn text into values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from catalog.models import Album, Artist, Revision, Track, User
from catalog.registry import target_choices

_PICTURES = "image/jpeg,image/png,image/webp"


def _date_field() -> forms.DateField:
    return forms.DateField(
        required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


def _picture_field(label: str) -> forms.FileField:
    return forms.FileField(
        required=False,
        label=label,
        help_text="JPEG, PNG or WebP, at most 10 MB.",
        widget=forms.FileInput(attrs={"accept": _PICTURES}),
    )


class ProfileForm(forms.ModelForm):
    """An artist page's text, picture and settings."""

    new_picture = _picture_field("Picture")
    remove_picture = forms.BooleanField(required=False, label="Remove the picture")
    default_genre = forms.ChoiceField(required=False, label="Default target")

    class Meta:
        model = Artist
        fields = (
            "name", "bio", "default_genre", "auto_separate", "auto_voice", "auto_lyrics",
        )  # fmt: skip
        widgets = {"bio": forms.Textarea(attrs={"rows": 6})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        genre = self.fields["default_genre"]
        genre.help_text = Artist._meta.get_field("default_genre").help_text
        genre.choices = [("", "The predicted genre"), *target_choices(self.instance)]  # type: ignore[attr-defined]
        if not self.instance.picture:
            del self.fields["remove_picture"]


class AlbumForm(forms.ModelForm):
    """An album's title, date and artwork."""

    release_date = _date_field()
    new_artwork = _picture_field("Artwork")
    remove_artwork = forms.BooleanField(required=False, label="Remove the artwork")

    class Meta:
        model = Album
        fields = ("title", "release_date")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.artwork:
            del self.fields["remove_artwork"]


class TrackForm(forms.ModelForm):
    """What is known about a track."""

    release_date = _date_field()

    class Meta:
        model = Track
        fields = (
            "title", "version", "composer", "isrc", "release_date", "discoverable", "may_train",
            "is_reference",
        )  # fmt: skip


class RevisionForm(forms.ModelForm):
    """What changed in a version."""

    class Meta:
        model = Revision
        fields = ("note",)
        labels = {"note": "What changed in this version"}
        help_texts = {"note": "Only you see this."}


EXPIRIES: dict[str, tuple[str, timedelta | None]] = {
    "day": ("In one day", timedelta(days=1)),
    "week": ("In one week", timedelta(days=7)),
    "month": ("In 30 days", timedelta(days=30)),
    "never": ("When I revoke it", None),
}


class ShareForm(forms.Form):
    """A new share link."""

    label = forms.CharField(
        required=False, max_length=120, label="For whom", help_text="Only you see this."
    )
    show_audio = forms.BooleanField(required=False, initial=True, label="The sound")
    show_genre = forms.BooleanField(required=False, initial=True, label="Genre and heatmap")
    show_features = forms.BooleanField(
        required=False, initial=True, label="Tempo, key and features"
    )
    show_mix = forms.BooleanField(required=False, label="Loudness, balance and findings")
    expiry = forms.ChoiceField(
        choices=[(name, label) for name, (label, _) in EXPIRIES.items()],
        initial="month",
        label="Ends",
    )

    @property
    def valid_for(self) -> timedelta | None:
        return EXPIRIES[self.cleaned_data["expiry"]][1]


class DeleteAccountForm(forms.Form):
    """The password once more, before everything goes."""

    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        label="Your password",
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise ValidationError("This is not your password.")
        return password


def add_errors(form: forms.BaseForm, error: ValidationError) -> None:
    """Show what a service refused beside the fields it is about."""
    if hasattr(error, "error_dict"):
        for name, errors in error.error_dict.items():
            form.add_error(name if name in form.fields else None, errors)
    else:
        form.add_error(None, error)
