"""Where a browser is sent to: only ever a page of ours."""

import re
from urllib.parse import urlencode

START = "/"
# One slash at its beginning, and nothing that a browser reads as another host or another line.
OURS = re.compile(r"/(?![/\\])[A-Za-z0-9/_.~:%@+-]{0,400}")


def ours(path: str | None) -> str:
    """The path if it is one of ours, else the start."""
    return path if path is not None and OURS.fullmatch(path) else START


def sign_in(back: str) -> str:
    """The front page, which leads to `back` after somebody has signed in."""
    back = ours(back)
    return START if back == START else f"{START}?{urlencode({'next': back})}"
