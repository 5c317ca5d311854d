"""The forms of the pages: for how long to pause, and why."""

from __future__ import annotations

from datetime import timedelta

from django import forms

#: In characters.
LONGEST_REASON = 500
_MINUTES = {15: "15 minutes", 30: "30 minutes", 60: "1 hour", 120: "2 hours", 240: "4 hours", 480: "8 hours"}
_DAYS = {1440: "1 day", 4320: "3 days", 10080: "7 days"}


class Reason(forms.Form):
    """Why somebody stops something; the people who see it later read this."""

    use_required_attribute = True
    reason = forms.CharField(
        max_length=LONGEST_REASON, label="Reason", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


class PauseEverything(Reason):
    """A pause of everything always has an end."""

    minutes = forms.TypedChoiceField(
        choices=[*_MINUTES.items(), (1440, _DAYS[1440])], coerce=int, initial=30, label="For how long"
    )
    field_order = ("minutes", "reason")

    @property
    def span(self) -> timedelta:
        """How long the pause lasts."""
        return timedelta(minutes=self.cleaned_data["minutes"])


class PauseOne(Reason):
    """A pause of one schedule; without an end it lasts until somebody resumes it."""

    minutes = forms.TypedChoiceField(
        choices=[*_MINUTES.items(), *_DAYS.items(), (0, "until it is resumed")],
        coerce=int,
        initial=60,
        label="For how long",
    )
    field_order = ("minutes", "reason")

    @property
    def span(self) -> timedelta | None:
        """How long the pause lasts; None without an end."""
        minutes: int = self.cleaned_data["minutes"]
        return timedelta(minutes=minutes) if minutes else None
