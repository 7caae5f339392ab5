"""The forms of the pages. What a trace list's query string means is in `present/trace_list_query.py`."""

from __future__ import annotations

from django import forms


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
