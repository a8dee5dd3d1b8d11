"""What one sees: notebook set-up, figures, HTML, widgets."""

from __future__ import annotations
