"""What is played: rules, positions and text; knows no model."""

from __future__ import annotations
