"""selfplay_kit: learn, teach and reproduce language-model self-play.

The modules stand on floors; each imports only from floors below its own:
``rules``, ``models`` -> ``protocol``, ``decode`` -> ``game`` -> the players,
``play``, ``metrics``, ``cloning`` -> ``rounds``, ``plots`` -> ``notebook``.
Importing this package loads no torch, no transformers and no matplotlib.
"""

__version__ = "0.1.0"
