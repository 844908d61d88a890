"""What the receiver has to be told; the entry point makes it from the settings."""

from dataclasses import dataclass, field

MAX_BODY = 64 * 1024
DEFAULT_FAILED_STATUS = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverConfig:
    """How the receiver answers, and for whom.

    `public_url` and `beeminder_url` carry no trailing slash. `hold_seconds`: how long an autofetch
    callback waits for fresh data, 0 for not at all. `failed_status`: the status of an autofetch
    answer when the data is not on the goal. `operators`: lower-case usernames that see
    everything. `linkable`: providers whose sources are linked in the browser. `session_key` signs
    cookies. `trusted_proxies`: comma-separated addresses whose `X-Forwarded-*` are believed.
    `max_body`: bytes. `operator_channels`: audience and kind of each address of the operator's.
    `vendors`: those that figures name; all others are one.
    """

    public_url: str
    callback_secrets: tuple[str, ...] = field(repr=False)
    session_key: str = field(repr=False)
    beeminder_url: str = "https://www.beeminder.com"
    client_id: str | None = None
    app_name: str | None = None
    hold_seconds: float = 25.0
    failed_status: int = DEFAULT_FAILED_STATUS
    operators: frozenset[str] = frozenset()
    linkable: frozenset[str] = frozenset()
    trusted_proxies: str | None = None
    max_body: int = MAX_BODY
    operator_channels: tuple[tuple[str, str], ...] = ()
    vendors: frozenset[str] = frozenset()

    @property
    def secure(self) -> bool:
        """Whether browsers reach us by https, so that cookies may insist on it."""
        return self.public_url.startswith("https://")
