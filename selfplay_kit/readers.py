"""x"""

from . import game as game
