"""Templates of paths: they name whose runs, and lead to nothing that acts."""

import pytest

from clients import rime_paths


@pytest.mark.parametrize(
    ("template", "path"),
    [
        (rime_paths.RUNS["connector"], "projects/p1/connectors/c1/runs"),
        ("/connectors/{connector}/runs/", "connectors/c1/runs"),
        ("v2/{project}/x.y/{connector}/history", "v2/p1/x.y/c1/history"),
    ],
)
def test_a_template_becomes_a_path(template, path):
    """With or without slashes around it, with and without the project."""
    checked = rime_paths.checked(template, "connector")
    assert rime_paths.runs(checked, "connector", project="p1", of="c1") == path
    pattern = rime_paths.runs_pattern(checked)
    assert pattern.fullmatch(path)
    assert pattern.fullmatch(f"{path}/r1")
    assert not pattern.fullmatch(f"{path}/r1/x")
    assert not pattern.fullmatch(f"{path}/..")


@pytest.mark.parametrize(
    "template",
    [
        "",
        "runs",
        "connectors/{pipeline}/runs",
        "connectors/{connector}",
        "{connector}/{connector}/runs",
        "{project}/{connector}/{run}/runs",
        "connectors/{connector}/sync",
        "connectors/{connector}/SYNC/runs",
        "auth/{connector}/runs",
        "connectors/{connector}/../runs",
        "connectors/x{connector}/runs",
        "connectors/{connector}/runs?all=1",
        "connectors//{connector}/runs",
        "https://evil.test/{connector}/runs",
        "connectors/{connector}/ru ns",
        "connectors/{connector!r}/runs",
    ],
)
def test_what_is_no_template(template):
    """No id in it, an action, dots, a query or another host."""
    with pytest.raises(ValueError, match=r"has to|may not"):
        rime_paths.checked(template, "connector")


def test_the_path_of_a_refresh():
    """Any path below the address; none that leads out of it."""
    assert rime_paths.refresh("/auth/token/refresh/") == "auth/token/refresh"
    for odd in ("", "..", "auth/../x", "auth/refresh?x", "https://evil.test/", "a b"):
        with pytest.raises(ValueError, match="auth/refresh"):
            rime_paths.refresh(odd)


def test_the_kinds_of_paths_are_those_that_may_be_read():
    """Lists and single things, of templates as they are written; each of them is allowed."""
    templates = (rime_paths.RUNS["connector"], "/v2/{project}/{pipeline}/history/")
    found = rime_paths.endpoints(*templates)
    assert found == (
        *("projects", "projects/*"),
        *("projects/*/connectors", "projects/*/connectors/*"),
        *("projects/*/pipelines", "projects/*/pipelines/*"),
        *("projects/*/connectors/*/runs", "projects/*/connectors/*/runs/*"),
        *("v2/*/*/history", "v2/*/*/history/*"),
    )
    patterns = [*rime_paths.readable(), *map(rime_paths.runs_pattern, templates)]
    for kind in found:
        assert any(pattern.fullmatch(kind.replace("*", "orders")) for pattern in patterns)
