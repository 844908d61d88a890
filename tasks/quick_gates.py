"""Which gates this process has just passed without a look, and which had to be looked at."""

AGAIN_SECONDS = 1.0


class QuickGates:
    """What happened at each gate last (UTC seconds). Shared by threads: the last to come counts."""

    def __init__(self) -> None:
        self._passed: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}

    def passed(self, key: str, now: float) -> None:
        """Somebody went through it without a look: it was open, and nothing was known of it."""
        self._passed[key] = now
        self._looked_at.pop(key, None)

    def looked_at(self, key: str, now: float) -> None:
        """There was more to be known, or to be waited for."""
        self._looked_at[key] = now
        self._passed.pop(key, None)

    def may_be(self, key: str, now: float) -> bool:
        """Is it worth a try to go through without a look?"""
        return not self._lately(self._looked_at, key, now)

    def was_just(self, key: str, now: float) -> bool:
        """Has somebody gone through like that a moment ago?"""
        return self._lately(self._passed, key, now)

    @staticmethod
    def _lately(when: dict[str, float], key: str, now: float) -> bool:
        at = when.get(key)
        return at is not None and 0.0 <= now - at < AGAIN_SECONDS
