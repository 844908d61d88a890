"""Files that ship with the pages, each under an address that changes with its content."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Static:
    """One file, as it is and packed; `version` tells its content from any other."""

    plain: bytes
    packed: bytes
    media_type: str
    version: str


def _read(path: Path) -> Static:
    plain = path.read_bytes()
    return Static(
        plain,
        gzip.compress(plain, mtime=0),
        MEDIA_TYPES[path.suffix],
        hashlib.sha256(plain).hexdigest()[:12],
    )


FILES = {
    path.relative_to(FOLDER).as_posix(): _read(path)
    for path in sorted(FOLDER.rglob("*"))
    if path.is_file()
}


def address(name: str) -> str:
    """The address of a file, good for as long as it stays as it is."""
    return f"/static/{name}?v={FILES[name].version}"


async def static(request: Request) -> Response:
    """`/static/{name}`."""
    found = FILES.get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    current = request.query_params.get("v") == found.version
    headers = {
        "Content-Type": found.media_type,
        "Cache-Control": A_YEAR if current else "no-cache",
        "ETag": f'"{found.version}"',
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, headers=headers | {"Content-Encoding": "gzip"})
    return Response(found.plain, headers=headers)
