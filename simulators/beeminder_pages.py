"""Pages to look at: users and goals, the datapoints of a goal, and buttons that call back."""

from starlette.routing import Route

from simulators.beeminder_calls import Calls
from simulators.beeminder_state import BeeminderState


class Pages:
    """To be filled."""

    def __init__(self, state: BeeminderState, calls: Calls) -> None:
        self.state = state
        self.calls = calls

    def routes(self) -> list[Route]:
        """None yet."""
        return []
