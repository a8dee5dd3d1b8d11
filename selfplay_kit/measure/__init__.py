"""What transcripts show: metrics, intervals, cross-play, language, the ledger."""

from __future__ import annotations
