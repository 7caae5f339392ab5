"""`runwood doctor`: what keeps an app's traces from arriving, asked one question after the other."""

from __future__ import annotations
