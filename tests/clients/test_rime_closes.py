"""What is done after each way a socket can end or be refused."""

import pytest

from clients import rime_closes

CLOSES = {
    "again": (None, 1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008, 4408, 4500, 4504),
    "few": (1002, 1003, 1007, 1009, 1010, 1015, 4409, 4429, 4999, 2000, 0, -1, 99999),
    "login": (1008, 3000, 3003, 4001, 4003, 4401, 4403),
    "stop": (4400, 4404, 4406),
}
STATUSES = {
    "again": (408, 425, 429, 500, 502, 503, 504, 520, 599),
    "login": (401, 403),
    "stop": (200, 204, 301, 302, 307, 400, 404, 405, 407, 410, 426, 501, 505, 600),
}


@pytest.mark.parametrize(
    ("verdict", "code"), [(verdict, code) for verdict, codes in CLOSES.items() for code in codes]
)
def test_closes(verdict, code):
    """Each code by its meaning; whatever it is, nobody reconnects for a run that has ended."""
    assert rime_closes.of_close(code, over=False) == verdict
    assert rime_closes.of_close(code, over=True) == "done"


@pytest.mark.parametrize(
    ("verdict", "status"), [(verdict, one) for verdict, some in STATUSES.items() for one in some]
)
def test_refused_upgrades(verdict, status):
    """A wrong address is no outage, and a redirect takes no token along."""
    assert rime_closes.of_status(status) == verdict
