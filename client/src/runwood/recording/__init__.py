"""Runs of an app between their start and their end, and the operations that they become."""

from __future__ import annotations
