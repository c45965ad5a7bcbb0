"""The form of the queue's settings."""

from __future__ import annotations

from typing import Any

from django import forms

from analysis.labels.models import LabelSettings


class _Share(forms.FloatField):
    """A share from 0 to 1."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0.0, max_value=1.0, **kwargs)
        self.widget.attrs |= {"step": "any", "inputmode": "decimal"}


class LabelSettingsForm(forms.ModelForm):
    """How clips are chosen, how often, and when models are trained by themselves."""

    control_share = _Share(
        label="Random control",
        help_text="Share of clips and of draws that chance alone decides: 0.2 is every fifth.",
    )
    held_out_share = _Share(
        label="Held out",
        help_text="Share of singers whose clips only compare models, and of draws that go to them. "
        "Singers who have been dealt with stay where they are.",
    )
    gold_share = _Share(
        label="Gold clips",
        help_text="Share of draws that are clips with known answers. Each rater gets each once.",
    )
    overlap_share = _Share(
        label="Overlap", help_text="Share of clips that several people answer, drawn by lot."
    )
    overlap_votes = forms.IntegerField(
        label="Votes on each of these",
        min_value=1,
        max_value=9,
        help_text="1 to 9. Clips whose raters differ get as many too.",
    )
    lock_minutes = forms.IntegerField(
        label="Minutes for a clip",
        min_value=1,
        max_value=120,
        help_text="So long a clip is nobody else's after the last sign of life. 1 to 120.",
    )
    train_after_labels = forms.IntegerField(
        label="Train after so many newly labelled clips",
        min_value=0,
        max_value=1_000_000,
        help_text="0 is never.",
    )
    train_every_days = forms.IntegerField(
        label="Train every so many days",
        min_value=0,
        max_value=365,
        help_text="If there are new labels; 0 is never.",
    )

    class Meta:
        model = LabelSettings
        fields = (
            "control_share",
            "held_out_share",
            "gold_share",
            "overlap_share",
            "overlap_votes",
            "lock_minutes",
            "train_after_labels",
            "train_every_days",
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        gold, held_out = data.get("gold_share"), data.get("held_out_share")
        if gold is not None and gold > 0.5:
            self.add_error("gold_share", "More than half would leave little to label: at most 0.5.")
        if held_out is not None and held_out > 0.5:
            self.add_error("held_out_share", "At most 0.5: models learn from the others.")
        return data
