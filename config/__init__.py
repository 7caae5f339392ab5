"""Configuration of the server. Importing it makes the Celery app known to Django."""

from __future__ import annotations
