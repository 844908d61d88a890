"""Following one callback through real processes: by its ids in the lines, and by its trace."""

import contextlib
import json
import os
import signal
from datetime import datetime

import pytest
from sqlalchemy.exc import SQLAlchemyError

from db import inbox, workers
from tasks import canary
from tasks.runtime import Runtime
from tests.blackbox.collector import collecting
from tests.blackbox.house import House
from tests.world import PASSWORD, TOKEN
from worker import runtime, settings

pytestmark = pytest.mark.blackbox

REQUEST = "seen-by-the-test"


def lines(house: House) -> list[dict]:
    """Every line that was logged; each has to be JSON, from whatever library it is."""
    found = [json.loads(line) for line in house.log().splitlines()]
    for line in found:
        assert {"timestamp", "level", "event", "process"} <= set(line), line
        at = line["timestamp"]
        assert at.endswith("Z")
        assert datetime.fromisoformat(at).tzinfo is not None
    return found


def processes(house: House, text: str) -> set[str]:
    """Which processes have lines with this text."""
    return {line["process"] for line in lines(house) if text in json.dumps(line)}


def test_one_callback_is_followed_by_its_ids_and_is_one_trace(home: House) -> None:
    """`X-Request-Id` and the event's id lead to receiver and worker, and so does the trace."""
    with collecting() as collector:
        given = {
            "WAGGLE_LOG_FORMAT": "json",
            "WAGGLE_LOG_LEVEL": "debug",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        home.run("apply", str(home.declare("energy")))
        home.up(**given)
        home.wait(home.ours)
        home.grow(2.0)
        answer = home.autofetch(headers={"X-Request-Id": REQUEST})
        assert answer.status_code == 200
        assert answer.headers["X-Request-Id"] == REQUEST

        home.wait(lambda: processes(home, REQUEST) == {"web", "worker"})
        (web,) = [line for line in lines(home) if line["event"] == "callback.answered"]
        event_id = web["event_id"]
        assert processes(home, event_id) == {"web", "worker"}
        asked = [line for line in lines(home) if line["event"] == "vendor.answered"]
        ours = [line for line in asked if event_id in line.get("event_ids", ())]
        assert ours
        assert any(line["vendor_request_id"] for line in ours)

        assert home.stop() == 0
        lines(home)
        trace = f"{inbox.number_of(event_id):032x}"
        spans = {(name, process) for of, name, process in collector.spans if of == trace}
        assert {("callback", "web"), ("hold", "web")} <= spans
        assert {("sync", "worker"), ("fetch", "worker"), ("push", "worker")} <= spans
        for secret in (TOKEN, PASSWORD, "alice", "auth_token", "autofetch/"):
            assert secret not in collector.text
            assert secret == "alice" or secret not in home.log()


def test_a_failure_is_followed_at_the_usual_level(home: House) -> None:
    """What went wrong is told with its ids by both, without debugging; warnings are lines too."""
    home.run("apply", str(home.declare("energy")))
    home.sims.bemserver.state.users.clear()
    home.up(WAGGLE_LOG_FORMAT="json", WAGGLE_HOLD_SECONDS="5", WAGGLE_SOMETHING="odd")
    answer = home.autofetch(headers={"X-Request-Id": REQUEST})
    assert answer.status_code == 503
    home.wait(lambda: processes(home, REQUEST) == {"web", "worker"})
    assert any("WAGGLE_SOMETHING" in line.get("message", "") for line in lines(home))


def test_the_canary_the_doctor_and_readiness_see_real_processes(house: House) -> None:
    """All well with every broker; then frozen workers, which answer nobody and look alive."""
    house.environment["WAGGLE_CANARY"] = "alice/energy"
    house.run("apply", str(house.declare("energy")))
    house.up(WAGGLE_HOLD_SECONDS="20")
    found = settings.load(house.environment | {"WAGGLE_PUBLIC_URL": house.url}, None)
    with runtime.build(found, ring=lambda _task, _queue: False) as rt:
        assert canary.run(rt)
        the_doctor_sees(house, rt)


def the_doctor_sees(house: House, rt: Runtime) -> None:
    """The second half: `rt` reads the ledger of this house."""
    house.wait(lambda: house.http.get("/readyz").json()["last_sweep_seconds"] is not None)

    told = {row["what"]: row for row in house.json("doctor")}
    assert {row["state"] for row in told.values()} <= {"ok", "odd"}
    for what in ("broker", "beat", "work", "workers", "progress", "keys", "canary", "callbacks"):
        assert told[what]["state"] == "ok", told[what]
    assert "hands bells on" in told["broker"]["text"]
    counted = 'waggle_syncs_total{outcome="fresh",provider="bemserver"} 0.0'
    house.wait(lambda: counted not in house.http.get("/metrics").text)

    frozen = house.workers()
    assert frozen
    for worker in frozen:
        os.kill(worker, signal.SIGSTOP)
    try:
        silent(rt)
        house.wait(lambda: house.http.get("/readyz").status_code == 503)
        assert "no worker is running" in house.http.get("/readyz").json()["why"]
        assert house.http.get("/healthz").status_code == 200
        rows = json.loads(house.run("doctor", "--json", status=1).stdout)
        assert [row["state"] for row in rows if row["what"] == "workers"] == ["red"]
    finally:
        for worker in frozen:
            os.kill(worker, signal.SIGCONT)
    house.wait(lambda: house.http.get("/readyz").status_code == 200)


def silent(rt: Runtime) -> None:
    """Nothing was heard of any worker for as long as one counts as alive.

    Where one was frozen while it wrote there is no saying so, and that time is waited for.
    """
    with contextlib.suppress(SQLAlchemyError), rt.ledger.write() as session:
        long_ago = rt.clock.now() - workers.ALIVE_SECONDS
        for worker in workers.known(session):
            workers.beat(session, name=worker.name, busy=worker.busy, now=long_ago)
