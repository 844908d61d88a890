"""Our own providers keep what is asked of everybody's."""

import pytest

from tasks import providers
from worker.kit import loading, run
from worker.kit.trials import bime

OURS = sorted(
    name
    for name, provider in providers.table().items()
    if provider.connect.__module__.startswith("tasks.")
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", OURS)
def test_our_providers_keep_every_promise(name) -> None:
    """Each of them has a trial in `worker.kit.trials`, and nothing is found."""
    trial = loading.trial(None, module=f"tasks.metrics.{name}", provider=name)
    assert trial is not None, f"worker/kit/trials/{name}.py is missing"

    outcomes = list(run.run(providers.table()[name], trial))

    assert [outcome for outcome in outcomes if outcome.state == "broken"] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "trial"), [("bime", bime.LINKED)], ids=["bime-linked"])
def test_they_keep_them_in_another_way_as_well(name, trial) -> None:
    """A source that is linked in the browser, in the other shape of the answers."""
    outcomes = list(run.run(providers.table()[name], trial()))

    assert [outcome for outcome in outcomes if outcome.state == "broken"] == []
