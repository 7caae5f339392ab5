"""What an app hands over, copied by value into what JSON can hold, without its secrets."""

from __future__ import annotations
