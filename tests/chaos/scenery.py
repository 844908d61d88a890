"""The people, goals and sources of a run, on simulators that this process serves."""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

from simulators.main import (
    BIME_PREFIX,
    BMPARTS_PREFIX,
    RIME_HOST,
    RIME_PREFIX,
    Simulators,
    build,
)
from simulators.rime_state import Run
from tests.blackbox.house import noon_zone
from tests.chaos.meters import (
    DAY,
    Dashboards,
    FollowedRows,
    Meter,
    Rows,
    Series,
    Shipments,
    daystamp,
)

CANARY = "canary-of-the-chaos-ring"
EVERY_OTHER_SOURCE = 4  # of so many people one has the other three sources as well
TWO_FEEDS = 5  # one of so many goals has two feeds
FOLLOWED = 3  # connectors of who has the other sources, and runs of each, that are followed
AFTERWARDS = 10.0  # seconds after the trouble in which some runs still end


@dataclass(slots=True)
class Goal:
    """A goal with the meters that feed it."""

    username: str
    slug: str
    meters: list[Meter] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As the command line says it."""
        return f"{self.username}/{self.slug}"

    @property
    def is_called(self) -> bool:
        """Does Beeminder call for it?"""
        return not any(isinstance(meter, FollowedRows) for meter in self.meters)


class Scenery:
    """`people` with `goals` each; declared in a file that `apply` reads."""

    def __init__(self, *, people: int, goals: int, seed: int) -> None:
        self.zone = noon_zone()
        self.sims: Simulators = build(world=False)
        self.goals: list[Goal] = []
        self.secrets = [CANARY]
        self._sources: list[str] = []
        self._rng = random.Random(seed)
        self._people = [f"person{number:02d}" for number in range(people)]
        for number, username in enumerate(self._people):
            self._add_person(number, username, goals)
        for goal in self.goals:
            for meter in goal.meters:
                for days in range(3):
                    meter.add(time.time() - days * DAY - 60, self._rng)
        for meter in self._followed():
            for _ in range(FOLLOWED):
                meter.begin(self._rng)
        self.sims.rime.live.switches.set(duplicates=1, strange=5, binary=7, garbage=6, others=4)
        self.called = [goal for goal in self.goals if goal.is_called]
        self.app = Starlette(
            routes=[
                *(
                    Mount(f"/plant/{username}/api/v0", app=self.sims.bemserver.limiter)
                    for username in self._people
                ),
                Mount(BIME_PREFIX, app=self.sims.bime.limiter),
                Mount(BMPARTS_PREFIX, app=self.sims.bmparts.service),
                Mount(RIME_PREFIX, app=self.sims.rime.served),
                Mount(RIME_HOST, routes=[self.sims.rime.live.route()]),
                Mount("/", app=self.sims.beeminder.limiter),
            ],
            lifespan=self.sims.beeminder.lifespan,
        )

    def runs(self) -> list[Run]:
        """All that are followed, as they are now."""
        self.sims.rime.state.grow()
        return [run for meter in self._followed() for run in meter.runs]

    def end_runs(self, *, within: float) -> None:
        """Runs end one after the other from now on; some when the trouble is over."""
        for meter in self._followed():
            meter.end(self._rng, within + AFTERWARDS)

    def _followed(self) -> list[FollowedRows]:
        return [
            meter for goal in self.goals for meter in goal.meters if isinstance(meter, FollowedRows)
        ]

    def days(self) -> list[str]:
        """The days that are looked at, today last."""
        return [daystamp(time.time() - days * DAY, self.zone) for days in (2, 1, 0)]

    def declare(self, file: Path, url: str) -> Path:
        """Write the file that links all of it; `url` is where the vendors are."""
        first = self.days()[0]
        since = f"{first[:4]}-{first[4:6]}-{first[6:]}"
        lines = [
            f'[users.{username}]\ntoken = "{CANARY}-{username}"\n' for username in self._people
        ]
        for goal in self.goals:
            for number, meter in enumerate(goal.meters):
                label = f":part{number}" if number else ""
                lines.append(
                    f'[feeds."{goal.name}{label}"]\nsource = "{meter.source}"\n'
                    f"since = {since}\n{meter.section}\n"
                )
        socket = url.replace("http://", "ws://")
        lines += [text.replace("{url}", url).replace("{socket}", socket) for text in self._sources]
        file.write_text("\n".join(lines))
        file.chmod(0o600)
        return file

    def _add_person(self, number: int, username: str, goals: int) -> None:
        beeminder, plant = self.sims.beeminder.state, self.sims.bemserver.state
        beeminder.add_user(username, timezone=self.zone, token=f"{CANARY}-{username}")
        plant.add_user(f"{username}@example.org", f"{CANARY}-plant-{username}")
        self._sources.append(
            f'[sources.plant-{username}]\nprovider = "bemserver"\nuser = "{username}"\n'
            f'url = "{{url}}/plant/{username}/api/v0"\nemail = "{username}@example.org"\n'
            f'password = "{CANARY}-plant-{username}"\n'
        )
        for index in range(goals):
            goal = self._add_goal(username, f"meter{index:02d}")
            for _ in range(2 if index % TWO_FEEDS == TWO_FEEDS - 1 else 1):
                goal.meters.append(self._series(username))
        if number % EVERY_OTHER_SOURCE == 0:
            self._add_others(username)

    def _add_goal(self, username: str, slug: str) -> Goal:
        self.sims.beeminder.state.add_goal(username, slug, kyoom=True, aggday="sum")
        goal = Goal(username, slug)
        self.goals.append(goal)
        return goal

    def _series(self, username: str) -> Series:
        number = len(self.sims.bemserver.state.series) + 1
        self.sims.bemserver.state.add_series(f"Meter {number}", campaign="Site")
        section = f'metric = "timeseries_aggregate"\nparams = {{ timeseries = {number} }}\n'
        return Series(self.sims, f"plant-{username}", section, self.zone, number)

    def _add_others(self, username: str) -> None:
        self.sims.bime.state.add_account(username, token=f"{CANARY}-bime-{username}")
        self.sims.bmparts.state.add_key(f"{CANARY}-bmparts-{username}", username)
        self.sims.rime.state.add_key(f"{CANARY}-rime-{username}")
        self.sims.rime.state.add_project(username)
        self.sims.rime.state.add_connector(username, f"orders-{username}")
        owner = f'user = "{username}"\n'
        self._sources += [
            (
                f'[sources.boards-{username}]\nprovider = "bime"\n{owner}'
                f'url = "{{url}}{BIME_PREFIX}/v2"\naccess_token = "{CANARY}-bime-{username}"\n'
                f'account_name = "{username}"\n'
            ),
            (
                f'[sources.shop-{username}]\nprovider = "bmparts"\n{owner}'
                f'url = "{{url}}{BMPARTS_PREFIX}"\napi_key = "{CANARY}-bmparts-{username}"\n'
            ),
            (
                f'[sources.etl-{username}]\nprovider = "rime"\n{owner}'
                f'url = "{{url}}{RIME_PREFIX}"\nproject = "{username}"\n'
                f'api_key = "{CANARY}-rime-{username}"\nprogress_poll = "2s"\n'
                f'progress_url = "{{socket}}{RIME_HOST}/live/{{run}}"\n'
            ),
        ]
        for slug, meter in (
            (
                "boards",
                Dashboards(
                    self.sims,
                    f"boards-{username}",
                    'metric = "records_created"\nparams = { resource = "dashboards" }\n',
                    self.zone,
                    username,
                ),
            ),
            (
                "shipments",
                Shipments(
                    self.sims, f"shop-{username}", 'metric = "documents"\n', self.zone, username
                ),
            ),
            (
                "rows",
                Rows(
                    self.sims,
                    f"etl-{username}",
                    f'metric = "rows_extracted"\nparams = {{ connector = "orders-{username}" }}\n',
                    self.zone,
                    f"orders-{username}",
                ),
            ),
        ):
            self._add_goal(username, slug).meters.append(meter)
        for number in range(FOLLOWED):
            self._add_goal(username, f"runs{number}").meters.append(
                self._followed_rows(username, f"loads{number}-{username}")
            )

    def _followed_rows(self, username: str, connector: str) -> FollowedRows:
        self.sims.rime.state.add_connector(username, connector)
        section = f'metric = "rows_extracted"\nparams = {{ connector = "{connector}" }}\n'
        return FollowedRows(self.sims, f"etl-{username}", section, self.zone, connector)
