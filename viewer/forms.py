"""The forms of the pages. What a trace list's query string means is in `present/trace_list_query.py`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms

from collector.models import ModelPrice
from collector.prices.price import InvalidPrice
from collector.prices.table import PriceDraft, check_draft


class SignInForm(forms.Form):
    """Name and password."""

    username = forms.CharField(max_length=150, error_messages={"required": "Enter your name."})
    password = forms.CharField(
        max_length=1024, strip=False, error_messages={"required": "Enter your password."}
    )


class ApiKeyForm(forms.Form):
    """What a new API key is called and may do."""

    name = forms.CharField(max_length=120, error_messages={"required": "Give the key a name."})
    scope = forms.ChoiceField(
        choices=[
            ("ingest", "Send runs"),
            ("read", "Read runs"),
            ("ingest+read", "Send and read runs"),
            ("admin", "Everything"),
        ]
    )

    def scopes(self) -> list[str]:
        scope: str = self.cleaned_data["scope"]
        return scope.split("+")


class PriceForm(forms.Form):
    """A row of the price table. Prices are USD per million tokens; the units past these four go into `more`."""

    model_pattern = forms.CharField(max_length=256, required=False)
    provider = forms.CharField(max_length=120, required=False)
    name = forms.CharField(max_length=120, required=False)
    start_date = forms.DateField(required=False)
    input = forms.CharField(max_length=40, required=False)
    output = forms.CharField(max_length=40, required=False)
    cache_read = forms.CharField(max_length=40, required=False)
    cache_creation = forms.CharField(max_length=40, required=False)
    more = forms.CharField(max_length=4000, required=False)
    replaces = forms.UUIDField(required=False)

    UNITS = {
        "input": "input",
        "output": "output",
        "cache_read": "input.cache_read",
        "cache_creation": "input.cache_creation",
    }
    # The names that an error begins with are the API's
    LABELS = {"model_pattern": "Model name matches", "provider": "Provider", "name": "Note"}

    @classmethod
    def of(cls, row: ModelPrice) -> PriceForm:
        """Return a form that holds a row, to be put in its place once changed."""
        others = {unit: rate for unit, rate in row.prices.items() if unit not in cls.UNITS.values()}
        initial = {name: row.prices.get(unit, "") for name, unit in cls.UNITS.items()}
        for name in ("model_pattern", "provider", "name", "start_date"):
            initial[name] = getattr(row, name)
        initial["more"] = "\n".join(f"{unit} = {rate}" for unit, rate in others.items())
        return cls(initial=initial | {"replaces": row.id})

    def clean(self) -> dict[str, Any]:
        """Put the draft into `cleaned_data`, or say what is wrong with it."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        prices = self._prices(cleaned)
        if not prices:
            raise forms.ValidationError("A price of input, output or both is needed.")
        try:
            cleaned["draft"] = check_draft(
                model_pattern=cleaned["model_pattern"],
                prices=prices,
                provider=cleaned["provider"],
                start_date=cleaned["start_date"],
                name=cleaned["name"],
            )
        except InvalidPrice as error:
            raise forms.ValidationError(self._explain(error)) from error
        return cleaned

    def draft(self) -> PriceDraft:
        made: PriceDraft = self.cleaned_data["draft"]
        return made

    def replaced_id(self) -> UUID | None:
        found: UUID | None = self.cleaned_data["replaces"]
        return found

    def _explain(self, error: InvalidPrice) -> str:
        name, colon, what = str(error).partition(": ")
        return f"{self.LABELS.get(name, name.capitalize())}{colon}{what}"

    def _prices(self, cleaned: dict[str, Any]) -> dict[str, str]:
        prices = {unit: cleaned[name] for name, unit in self.UNITS.items() if cleaned[name]}
        for line in cleaned["more"].splitlines():
            if line.strip():
                unit, _, rate = line.partition("=")
                prices[unit.strip()] = rate.strip()
        return prices
