"""Where the files that ship with the kit are: the installed copy, else the checkout."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def path(name: str) -> Path:
    """The shipped file or folder ``name``, for example ``"tiny/weak"``.

    The copy inside the installed wheel comes first, then ``data/`` of a checkout;
    ``FileNotFoundError`` says where was looked.
    """
    places = [_HERE / "_data" / name, _HERE.parent / "data" / name]
    for place in places:
        if place.exists():
            return place
    looked = " and ".join(str(p) for p in places)
    raise FileNotFoundError(
        f"the kit ships no data called {name!r}: looked at {looked}. "
        "If this is an installed kit, install it again; in a checkout, git may "
        "have left the file out: `git status data` shows."
    )
