"""What made the recorded results: one command each, from a checkout.

``python -m experiments NAME`` plays and trains into run folders (``runs/``, not in
git), goes on from whatever is whole there, and writes ``data/reference/NAME.json``.
The package ``selfplay_kit`` imports nothing of this.
"""
