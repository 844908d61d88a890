"""Static files: ours and no others, and an address that is good for as long as its content."""

import gzip

from webhooks import static_files


def test_only_ours(serving):
    """The style, the icon and what is vendored are served; nothing else of the disk is."""
    assert serving.client.get("/static/style.css").headers["Content-Type"].startswith("text/css")
    assert serving.client.get("/static/icon.svg").headers["Content-Type"] == "image/svg+xml"
    assert serving.client.get("/static/vendor/htmx.min.js").status_code == 200
    for name in ("app.py", "..%2Fapp.py", "../app.py", "%2Fetc%2Fpasswd", "vendor", ""):
        assert serving.client.get(f"/static/{name}").status_code == 404


def test_only_a_current_address_is_kept(serving):
    """A browser may keep a file for a year only under the address that its content made."""
    good = serving.client.get(static_files.address("style.css"))
    old = serving.client.get("/static/style.css?v=000000000000")
    bare = serving.client.get("/static/style.css")

    assert "immutable" in good.headers["Cache-Control"]
    assert old.headers["Cache-Control"] == bare.headers["Cache-Control"] == "no-cache"
    again = serving.client.get("/static/style.css", headers={"If-None-Match": bare.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_packed_for_those_who_can_unpack(serving):
    """The same bytes either way."""
    with serving.client.stream(
        "GET", "/static/style.css", headers={"Accept-Encoding": "gzip"}
    ) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        raw = b"".join(packed.iter_raw())
    plain = serving.client.get("/static/style.css", headers={"Accept-Encoding": "identity"})

    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 2


def test_what_is_vendored_comes_with_its_licence():
    """Each vendored script has the licence of its package beside it, and stands in the list."""
    scripts = [name for name in static_files.FILES if name.startswith("vendor/") and "js" in name]
    listed = static_files.FILES["vendor/VENDORED.txt"].plain.decode()

    assert len(scripts) == 2
    for name in scripts:
        assert name.replace(".min.js", ".LICENSE.txt") in static_files.FILES
        assert name.removeprefix("vendor/") in listed
