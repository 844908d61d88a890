"""A lived-in installation to take pictures of: sources of every kind, and something of every state.

alice's goals are fed by all four simulated systems, one of them refuses its password, a correction
is held, a run goes on. Nothing here is fixed but what the simulators make of the hour.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulators import bime_demo, bmparts_demo, demo_world, rime_demo
from simulators.main import BEMSERVER_PREFIX, BIME_PREFIX, BMPARTS_PREFIX, RIME_HOST, RIME_PREFIX
from simulators.rime_state import Plan
from tests.blackbox.house import PASSWORD, House

DAY = 86400.0
DAYS = 45
STEPS = ("extract", "stage", "check", "load", "publish")
GOALS = {
    "rows": "Orders loaded every day",
    "deliveries": "Parts that left the house",
    "dashboards": "Dashboards brought up to date",
    "cold-storage-cooling": "Electricity of the cold storage",
    "search-the-catalogue": "Searches in the catalogue",
    "heating": "Heating of the house",
}


@contextmanager
def lived_in(folder: Path) -> Iterator[House]:
    """The installation, running; olive is its operator."""
    with House(folder, WAGGLE_OPERATORS="olive") as house:
        _measure(house)
        _more_systems(house)
        house.run("apply", str(_declared(house)))
        house.up()
        _settle(house)
        _past(house)
        _trouble(house)
        yield house


def _measure(house: House) -> None:
    """Hours of both meters, and goals that want what they measure."""
    state = house.sims.beeminder.state
    state.add_user("olive")
    # To use less: more than was reported could derail it, so a later reading is held.
    state.change_goal("alice", "energy", goal_type="drinker", yaw=-1, dir=1, rate=60.0)
    plant = house.sims.bemserver.state
    roof = plant.add_series("Workshop solar output", campaign="Workshop")
    assert roof.id == house.series + 1
    first = int(time.time() - DAYS * DAY) // 3600 * 3600
    for series, value_at in (
        (house.series, demo_world.home_value),
        (roof.id, demo_world.roof_value),
    ):
        hours = range(first, int(time.time()) - 3600, 3600)
        plant.set_values(series, [(at, value_at(at)) for at in hours], data_state="Clean")
    for slug, title in GOALS.items():
        state.add_goal("alice", slug, title=title, kyoom=True, aggday="sum", autodata="waggle")


def _more_systems(house: House) -> None:
    bime_demo.fill(house.sims.bime, redirect_uri=f"{house.url}/bime/callback")
    bmparts_demo.fill(house.sims.bmparts)
    rime_demo.fill(house.sims.rime, email="alice@example.org", password=PASSWORD)


def _declared(house: House) -> Path:
    url = house.server.url
    socket = url.replace("http://", "ws://")
    since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAYS * DAY))
    bemserver = f'provider = "bemserver"\nurl = "{url}{BEMSERVER_PREFIX}"'
    sources = {
        "plant": f'{bemserver}\nemail = "alice@example.org"\npassword = "{PASSWORD}"',
        "cooling": f'{bemserver}\nemail = "alice@example.org"\npassword = "changed-last-week"',
        "shop": f'provider = "bmparts"\nurl = "{url}{BMPARTS_PREFIX}"\n'
        f'api_key = "{bmparts_demo.KEY}"',
        "boards": f'provider = "bime"\nurl = "{url}{BIME_PREFIX}/v2"\n'
        f'access_token = "{bime_demo.TOKEN}"',
        "etl": f'provider = "rime"\nurl = "{url}{RIME_PREFIX}"\n'
        f'project = "{rime_demo.PROJECT}"\napi_key = "{rime_demo.API_KEY}"\n'
        f'progress_url = "{socket}{RIME_HOST}/live/{{run}}"\nprogress_poll = "2s"',
    }
    series = 'metric = "timeseries_aggregate"\nparams = {{ timeseries = {} }}'
    feeds = {
        "energy": ("plant", series.format(house.series)),
        "output": ("plant", series.format(house.series + 1)),
        "cold-storage-cooling": ("cooling", series.format(house.series)),
        "deliveries": ("shop", 'metric = "documents"\nparams = { type = "00003A4D" }'),
        "search-the-catalogue": ("shop", 'metric = "searches"'),
        "dashboards": ("boards", 'metric = "dashboards_updated"'),
        "rows": (
            "etl",
            f'metric = "rows_extracted"\nparams = {{ connector = "{rime_demo.CONNECTOR}" }}',
        ),
    }
    file = house.folder / "waggle.toml"
    file.write_text(
        '[users.alice]\ntoken = { env = "ALICE_TOKEN" }\n'
        + "".join(f'[sources.{name}]\nuser = "alice"\n{text}\n' for name, text in sources.items())
        + "".join(
            f'[feeds."alice/{slug}"]\nsource = "{source}"\nsince = {since}\n{text}\n'
            for slug, (source, text) in feeds.items()
        )
    )
    return file


def _settle(house: House) -> None:
    """Every feed was looked at once."""

    def looked_at() -> bool:
        feeds = house.json("status")["feeds"]
        return all(feed["last_synced_at"] or feed["last_error"] for feed in feeds)

    house.wait(looked_at)


def _past(house: House) -> None:
    """A month of days."""
    first = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 30 * DAY))
    for goal in ("alice/energy", "alice/output", "alice/rows"):
        house.run("sync", goal, "--from", first, "--wait", status=None)


def _trouble(house: House) -> None:
    """A correction that is held, calls that were answered, one that was not, runs that go on."""
    plant = house.sims.bemserver.state
    plant.set_values(house.series, [(time.time() - 2 * DAY, 3.0)], data_state="Clean")
    calls = house.sims.beeminder.calls
    for slug in ("energy", "output", "rows", "deliveries", "cold-storage-cooling"):
        calls.refresh("alice", slug)
    rime = house.sims.rime.state
    for seconds, ends_as in ((5, "Completed"), (6, "Failed"), (7, "Completed"), (400, "Completed")):
        plan = Plan(rows_per_second=61, seconds=seconds, ends_as=ends_as)
        run = rime.start_run(rime_demo.CONNECTOR, steps=STEPS, plan=plan)
        house.run("run", "watch", "etl", run.id)
