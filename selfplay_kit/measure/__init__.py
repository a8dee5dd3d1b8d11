"""What transcripts show: metrics, intervals, cross-play, language, the ledger."""
