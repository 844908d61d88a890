"""Looking around with trouble at one request only: what comes after it hides nothing."""

import json

from tasks.providers import Found
from tests.worker.kit.breaking import Reader
from tests.worker.kit.sample import played, with_reader
from worker.kit.looking import looking_around_is_safe


class LooksTwice(Reader):
    """Takes its first answer for what was promised, and not its second."""

    def look(self):
        """Who it is, and the names."""
        body = json.loads(self.client.ask("names", self.key).body or b"{}")
        owner = body.get("owner", "me") if isinstance(body, dict) else ""
        return [Found("owner", owner), *super().look()]


def test_an_odd_answer_is_found_also_where_the_next_one_is_good() -> None:
    """Trouble that goes on would be refused by the second request, and the first go unseen."""
    outcome = played(looking_around_is_safe, with_reader(LooksTwice))
    assert "the JSON null at request 1: owner: the id '' is no text" in outcome.problems
