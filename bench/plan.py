"""What is measured: how many jobs, which limits, in which places."""

from dataclasses import dataclass

from simulators.windows import Kind, Window

SCENARIOS = ("known", "unknown", "closed")
SIDES = ("waggle", "celery")
KINDS: tuple[Kind, ...] = ("gcra", "fixed", "sliding")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Jobs are feeds: `accounts` of `feeds` each, a goal and a source for each account.

    `limited` accounts share one quota of `requests` in `seconds`. `open` accounts belong to tenants
    without a limit; those after them share a tenant that is closed for `closed` seconds.
    """

    accounts: int = 40
    feeds: int = 25
    limited: int = 24
    open: int = 28
    requests: int = 50
    seconds: float = 1.0
    closed: float = 60.0
    kinds: tuple[Kind, ...] = KINDS
    scenarios: tuple[str, ...] = SCENARIOS
    sides: tuple[str, ...] = SIDES
    workers: tuple[int, ...] = (2, 4)
    places: tuple[str, ...] = ("embedded", "servers")

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    def jobs(self, first: int, last: int) -> range:
        """The jobs of the accounts from `first` to the one before `last`."""
        return range(first * self.feeds, last * self.feeds)

    def window(self, kind: Kind) -> Window:
        """The vendor's way to count, `Retry-After` in whole seconds, rounded up."""
        return Window(kind=kind, requests=self.requests, seconds=self.seconds, rounding="ceil")


def words(window: Window) -> str:
    """`gcra, 50 in 1 s, burst 50`: what a simulator says of itself."""
    burst = f", burst {window.at_once}" if window.kind == "gcra" else ""
    return f"{window.kind}, {window.requests} in {window.seconds:g} s{burst}"
