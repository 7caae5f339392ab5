"""The OpenAPI description at `/api/schema/`: every route once, though each is served under four prefixes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView

from collector.api.rendering import JSONRenderer
from collector.auth import HasScope

SHOWN_PREFIXES = ("/api/v1/", "/api/v2/")

Endpoint = tuple[str, str, str, Any]  # path, its regular expression, method, view


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells how a key is presented."""

    target_class = "collector.auth.ApiKeyAuthentication"
    name = ["ApiKey", "Bearer"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        return [
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            {"type": "http", "scheme": "bearer"},
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        return [{name: []} for name in self.name]  # either, not both


class SchemaView(SpectacularAPIView):
    """The description, for whoever has a key: as JSON, or as YAML with `?format=yaml`."""

    renderer_classes = [JSONRenderer, OpenApiYamlRenderer]
    permission_classes = [HasScope]
    required_scope = None


def keep_one_prefix(endpoints: list[Endpoint], **kwargs: Any) -> list[Endpoint]:
    """Return the endpoints of the prefixes that are shown, each method with its own view."""
    return [
        (path, regex, method, getattr(view, "views", {}).get(method, view))
        for path, regex, method, view in endpoints
        if path.startswith(SHOWN_PREFIXES)
    ]
