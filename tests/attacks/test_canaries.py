"""No secret is anywhere but in its place: the whole installation, at its most talkative."""

import re
from pathlib import Path

import httpx
import pytest

from tests.attacks import canaries, overhearing
from tests.attacks.canaries import ALWAYS, CHANNEL, SECRET, TYPED, Places
from tests.blackbox.house import House
from tests.blackbox.services import Services

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(400)]

COMMANDS = (
    ("status", "--json"), ("events", "--json"), ("runs",), ("gates",), ("doctor",),
    ("explain", "alice/energy", "today"), ("explain", "alice/cold", "today"),
    ("reconcile", "alice/energy"), ("sync", "alice/parts", "--preview"),
    ("source", "check", "refused"), ("notify", "--test"), ("keys", "rotate"),
)  # fmt: skip
# What shows a secret because it was asked for it.
SHOWN = {"apply": "hook", "hook": "hook"}
WRONG = {
    "misspelt": f'[sources.plant]\nprovider = "bemserver"\nuser = "alice"\npasword = "{TYPED}"\n',
    "a list": f'[sources.plant]\nprovider = "bmparts"\nuser = "alice"\napi_key = ["{TYPED}"]\n',
    "in a URL": f'[sources.a]\nprovider = "rime"\nuser = "alice"\nurl = "https://u:{TYPED}@h/"\n',
    "broken": f'[users.alice]\ntoken = "{TYPED}\n',
    "blank": f'[users.alice]\ntoken = "{TYPED} "\n',
}


def sung(places: Places, known: dict[str, str]) -> list[str]:
    """Which canary was heard where."""
    return sorted(
        f"{name} in {place}"
        for place, text in places.seen.items()
        for name, secret in known.items()
        if secret.encode() in text and SHOWN.get(place.partition(" ")[0]) != name
    )


def strangers(house: House, places: Places) -> None:
    """Secrets in places where nobody expects them, and all that is answered to anybody."""
    with httpx.Client(base_url=house.url) as client:
        answers = [
            client.get(f"/nothing/{TYPED}?auth_token={TYPED}", headers={"Accept": "text/html"}),
            client.get(f"/beeminder/autofetch/{SECRET}"),
            client.post(f"/beeminder/autofetch/{SECRET}", content=f"username={TYPED}".encode()),
            client.post(f"/beeminder/autofetch/{SECRET}", json={"username": [TYPED], "slug": 1}),
            client.post(f"/beeminder/deauthorized/{SECRET}", data={"access_token": TYPED}),
            client.post(f"/beeminder/deauthorized/{SECRET}", json={"access_token": {"a": TYPED}}),
            client.post(f"/beeminder/reminder/{TYPED}", json={"goal": {"slug": "x"}}),
            client.get("/beeminder/callback", params={"access_token": TYPED, "state": TYPED}),
            client.get("/bime/callback", params={"code": TYPED, "state": TYPED}),
            client.get(f"/login/{TYPED}"),
            client.get("/", headers={"Cookie": f"waggle_session={TYPED}; waggle_oauth={TYPED}"}),
            client.get("/metrics"),
            client.get("/readyz"),
        ]  # fmt: skip
    for number, answer in enumerate(answers):
        places.saw(f"answer {number} to a stranger", f"{answer.headers}\n{answer.text}")


def people(house: House, places: Places) -> dict[str, str]:
    """Somebody connects, is told things, looks at everything, and takes it back; secrets so far."""
    known = {}
    with httpx.Client(base_url=house.url, timeout=30) as carol:
        known["OAuth token"] = canaries.connected(house, carol, "carol")
        page = carol.get("/settings").text
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        url = f"json://{CHANNEL}:{CHANNEL}@127.0.0.1:9/{CHANNEL}"
        added = carol.post("/settings/channels", data={"url": url, "csrf": csrf})
        assert added.status_code == 303
        for path in re.findall(
            r'action="(/settings/channels/[^"]+/test)"', carol.get("/settings").text
        ):
            carol.post(path, data={"csrf": csrf})
        known["session"] = carol.cookies["waggle_session"]
        canaries.crawled(carol, places, "carol", "/")
    for who, arguments, first in (
        ("alice", ("--user", "alice"), "/"),
        ("operator", (), "/operator/tables/"),
    ):
        link = house.run("login", *arguments).stdout.strip().splitlines()[-1]
        known[f"login link of {who}"] = link.rpartition("/")[2]
        with httpx.Client(base_url=house.url, timeout=30, follow_redirects=True) as browser:
            browser.get(link)
            assert canaries.crawled(browser, places, who, first, "/") > 20
    house.sims.beeminder.calls.deauthorize("carol", app="waggle")
    return known


def commands(house: House, places: Places) -> None:
    """What the command line says, also to what is wrong."""
    for arguments in COMMANDS:
        done = house.run(*arguments, status=None)
        places.saw(" ".join(arguments), done.stdout + done.stderr)
    for name, text in WRONG.items():
        file = house.folder / "wrong.toml"
        file.write_text(text)
        done = house.run("apply", str(file), status=2)
        places.saw(f"complaint about {name}", done.stdout + done.stderr)


def lived(house: House, places: Places) -> dict[str, str]:
    """Everything that a house goes through before anybody looks; the secrets that were there."""
    made = house.run("apply", str(canaries.declared(house)))
    places.saw("apply", made.stdout + made.stderr)
    house.up()
    canaries.settled(house)
    canaries.trouble(house)
    strangers(house, places)
    return ALWAYS | {"hook": house.run("hook", "alice").stdout.strip().rpartition("/")[2]}


def ended(house: House, places: Places) -> None:
    """The last look: what is left when all is over."""
    places.look_at_files()
    assert house.stop() == 0
    places.look_at_files()
    places.saw("log", house.log())
    assert places.seen["log"].count(b"\n") > 20


def test_no_secret_is_anywhere_but_in_its_place(tmp_path: Path) -> None:
    """Logs, files, pages, figures, answers, complaints, command lines: not one canary in them."""
    with House(tmp_path, **canaries.settings(), WAGGLE_LOG_FORMAT="json") as house:
        places = Places(house)
        with places.watching():
            known = lived(house, places)
            known |= people(house, places)
            canaries.spoil(house)
            house.autofetch("parts")
            commands(house, places)
            ended(house, places)
        known |= canaries.bearers(house)

    heard = sung(places, known)
    assert heard == [], "\n".join(heard)
    # The canaries were there, and so were the places: else this would find nothing at any time.
    assert len(known) > len(ALWAYS) + 8
    names = " ".join(places.seen)
    for place in ("file waggle.db", "command lines", "what notifiers know", "/operator/tables/"):
        assert place in names


@pytest.mark.services
@pytest.mark.parametrize("kind", ["rabbitmq", "redis"])
def test_nor_at_servers_nor_in_a_log_that_people_read(
    tmp_path: Path, services: Services, kind: str
) -> None:
    """Rows of PostgreSQL, what the broker is told, and the other form of the log."""
    url = services.broker(kind)
    with (
        services.database() as database,
        House(
            tmp_path,
            **canaries.settings(),
            WAGGLE_LOG_FORMAT="console",
            DATABASE_URL=database,
            BROKER_URL=url,
        ) as house,
    ):
        places = Places(house)
        known = lived(house, places)
        overhearing.look_at_database(database, places)
        ended(house, places)
        overhearing.look_at_bells(house, url, places)
        known |= canaries.bearers(house)

    heard = sung(places, known)
    assert heard == [], "\n".join(heard)
    # There was something to hear, and the secrets are in the ledger: encrypted.
    assert b"waggle.sync" in places.seen["bells"]
    assert b"alice@example.org" in places.seen["table source"]
