"""``python -m tests.golden``: write the golden play-throughs anew."""

from . import write

if __name__ == "__main__":
    write()
