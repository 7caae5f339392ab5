"""Template tags: thin wrappers over viewer.present."""

from __future__ import annotations

from django import template

register = template.Library()
