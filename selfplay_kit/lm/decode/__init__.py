"""How a model's next tokens are computed: fast where that is right, else slower."""

from __future__ import annotations
