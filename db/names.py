"""How people call what the ledger holds: feeds, sources and days."""


def feed_name(username: str, slug: str, label: str) -> str:
    """user/goal, or user/goal:label."""
    return f"{username}/{slug}:{label}" if label else f"{username}/{slug}"


def source_name(username: str, name: str) -> str:
    """Names of sources are unique for each owner only."""
    return f"source {name} of {username}"


def dashed(daystamp: str) -> str:
    """`20261120` as `2026-11-20`."""
    return f"{daystamp[:4]}-{daystamp[4:6]}-{daystamp[6:]}"
