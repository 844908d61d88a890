"""A house with a canary in every place where a secret belongs, and watchers wherever one may sing.

A canary is a secret that is known here by its text. It may stand where it was put, encrypted in the
ledger, and in requests to the vendor that it is for: nowhere else.
"""

import contextlib
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from cryptography.fernet import Fernet

from simulators import bime_demo, bmparts_demo, rime_demo
from simulators.faults import Fault
from simulators.main import BEMSERVER_PREFIX, BIME_PREFIX, BMPARTS_PREFIX, RIME_HOST, RIME_PREFIX
from simulators.rime_state import Plan
from tests.blackbox.house import PASSWORD, SECRET, TOKEN, House

CONNECTOR = rime_demo.CONNECTOR
KEY = Fernet.generate_key().decode()
CLIENT = "canary-client-of-the-registered-app"
REFUSED = "canary-password-that-is-wrong"
LINK = "canary-client-of-a-bime-app"
HEARTBEAT = "canary-of-the-heartbeat"
NOTIFY = "canary-of-the-operators-address"
CHANNEL = "canary-of-a-persons-address"
TYPED = "canary-typed-where-none-belongs"
SHORTEST = 12
HREF = re.compile(r'(?:href|action|hx-get|src)="(/[^"#]*)"')
HIDDEN = re.compile(r'<input type=hidden name="([a-z_]+)" value="([^"]*)">')


class Places:
    """What was seen where, by name."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.seen: dict[str, bytes] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look at files of the home and at processes, again and again."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def saw(self, place: str, text: str | bytes) -> None:
        """Something can be read there."""
        found = text.encode() if isinstance(text, str) else text
        self.seen[place] = self.seen.get(place, b"") + found

    def look_at_files(self, *, of: str = "*") -> None:
        """What stands in the files of the home now."""
        for path in (self.house.folder / "home").rglob(of):
            with contextlib.suppress(OSError):
                if path.is_file():
                    self.saw(f"file {path.name}", path.read_bytes())

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.look_at_files(of="queue/**/*")
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    if Path(process / "cwd").readlink() != self.house.folder:
                        continue
                    line = (process / "cmdline").read_bytes()
                    if line not in self.seen.get("command lines", b""):
                        self.saw("command lines", line)
                    if b"notifier_child" in line:
                        self.saw("what notifiers know", (process / "environ").read_bytes())


def settings(house_url: str = "http://127.0.0.1:9") -> dict[str, str]:
    """The settings of the house, secrets among them."""
    return {
        "WAGGLE_SECRET_KEYS": KEY,
        "WAGGLE_BEEMINDER_CLIENT_SECRET": CLIENT,
        "WAGGLE_HEARTBEAT_URL": f"{house_url}/{HEARTBEAT}",
        "WAGGLE_NOTIFY": f"json://{NOTIFY}:{NOTIFY}@127.0.0.1:9/{NOTIFY}",
        "WAGGLE_PRIVATE_ADDRESSES": "allow",
        "WAGGLE_LOG_LEVEL": "debug",
        "WAGGLE_HOLD_SECONDS": "3",  # what fails goes on to fail without anybody who waits
    }


def declared(house: House) -> Path:
    """A source of each provider, one with a password that is refused, and a feed of each."""
    bime_demo.fill(house.sims.bime, redirect_uri=f"{house.url}/bime/callback")
    bmparts_demo.fill(house.sims.bmparts)
    rime_demo.fill(house.sims.rime, email="alice@example.org", password=PASSWORD)
    url = house.server.url
    live = f"{url.replace('http://', 'ws://')}{RIME_HOST}/live/{{run}}"
    sources = {
        "plant": f'provider = "bemserver"\nurl = "{url}{BEMSERVER_PREFIX}"\n'
        f'email = "alice@example.org"\npassword = "{PASSWORD}"',
        "refused": f'provider = "bemserver"\nurl = "{url}{BEMSERVER_PREFIX}"\n'
        f'email = "alice@example.org"\npassword = "{REFUSED}"',
        "shop": f'provider = "bmparts"\nurl = "{url}{BMPARTS_PREFIX}"\n'
        f'api_key = "{bmparts_demo.KEY}"',
        "boards": f'provider = "bime"\nurl = "{url}{BIME_PREFIX}/v2"\n'
        f'access_token = "{bime_demo.TOKEN}"',
        "linked": f'provider = "bime"\nurl = "{url}{BIME_PREFIX}/v2"\nclient_id = "app-1"\n'
        f'client_secret = "{LINK}"\noauth_url = "{url}{BIME_PREFIX}"',
        "etl": f'provider = "rime"\nurl = "{url}{RIME_PREFIX}"\nproject = "{rime_demo.PROJECT}"\n'
        f'api_key = "{rime_demo.API_KEY}"\nprogress_url = "{live}"\nprogress_auth = "query"\n'
        'progress_poll = "2s"',
    }
    meter = f'metric = "timeseries_aggregate"\nparams = {{ timeseries = {house.series} }}'
    feeds = {
        "energy": ("plant", meter),
        "cold": ("refused", meter),
        "parts": ("shop", 'metric = "searches"'),
        "boards": ("boards", 'metric = "dashboards_created"'),
        "more": ("linked", 'metric = "dashboards_created"'),
        "rows": ("etl", f'metric = "rows_extracted"\nparams = {{ connector = "{CONNECTOR}" }}'),
    }  # fmt: skip
    for slug in feeds.keys() - {"energy"}:
        house.sims.beeminder.state.add_goal("alice", slug, kyoom=True, aggday="sum")
    file = house.folder / "waggle.toml"
    file.write_text(
        '[users.alice]\ntoken = { env = "ALICE_TOKEN" }\n'
        + "".join(f'[sources.{name}]\nuser = "alice"\n{text}\n' for name, text in sources.items())
        + "".join(f'[feeds."alice/{slug}"]\nsource = "{source}"\n{text}\n'
                  for slug, (source, text) in feeds.items())
    )  # fmt: skip
    return file


def trouble(house: House) -> None:
    """Everything fails once, and every vendor repeats in its answer what it was sent."""
    for path, secret in (
        ("/bemserver/.*timeseries", PASSWORD),
        ("/bmparts/", bmparts_demo.KEY),
        ("/bime/", bime_demo.TOKEN),
        ("/rime/", rime_demo.API_KEY),
        ("datapoints", TOKEN),
        ("goals", TOKEN),
    ):
        for status in (500, 422, 401):
            said = {"error": f"not with {secret}", "message": secret, "errors": {secret: [secret]}}
            house.sims.faults.add(Fault(path=path, status=status, body=said))
        house.sims.faults.add(Fault(path=path, action="invalid_json"))
    for slug in ("energy", "parts", "boards", "rows", "cold", "more", "nobody-linked"):
        house.autofetch(slug)
    run = house.sims.rime.state.start_run(CONNECTOR, plan=Plan(seconds=3))
    house.run("run", "watch", "etl", run.id, status=None)


def spoil(house: House) -> None:
    """What is stored of one source can't be decrypted any more: a failure that nobody expects."""
    with contextlib.closing(sqlite3.connect(house.folder / "home" / "waggle.db")) as ledger:
        ledger.execute("UPDATE source SET credentials_cipher = 'spoilt' WHERE name = 'shop'")
        ledger.execute("UPDATE feed SET due_at = 0, state = 'active'")
        ledger.commit()


def connected(house: House, browser: httpx.Client, name: str) -> str:
    """Somebody comes by Beeminder's consent page; their token."""
    house.sims.beeminder.state.add_user(name)
    page = browser.get(browser.get("/beeminder/connect").headers["location"])
    form = dict(HIDDEN.findall(page.text)) | {"username": name, "decision": "authorize"}
    back = browser.post(f"{house.server.url}/apps/authorize", data=form).headers["location"]
    browser.get(back)
    token: str = house.sims.beeminder.state.users[name].app_tokens["waggle"]
    assert token in back
    return token


def crawled(browser: httpx.Client, places: Places, who: str, *begin: str, most: int = 60) -> int:
    """Pages that lead from these, and what their headers say; how many there were."""
    known, left = set(begin), list(begin)
    while left and len(known) < most:
        path = left.pop(0)
        if "stream" in path or path.startswith(("/bime/connect", "/beeminder/connect")):
            continue
        page = browser.get(path, headers={"Accept": "text/html"})
        places.saw(f"{who}'s {path}", f"{page.headers}\n{page.text}")
        new = [found for found in HREF.findall(page.text) if found not in known]
        known |= set(new)
        left += [found for found in dict.fromkeys(new) if not found.startswith("/static/")]
    return len(known)


def bearers(house: House) -> dict[str, str]:
    """The tokens that vendors were shown: session tokens among them, which nobody chose."""
    found = {}
    for number, request in enumerate(house.sims.faults.requests):
        value = request.headers.get("authorization", "").rpartition(" ")[2]
        if len(value) >= SHORTEST:
            found.setdefault(value, f"shown to {request.path} ({number})")
    return {name: value for value, name in found.items()}


def settled(house: House, *, within: float = 25.0) -> None:
    """What was asked for has been tried."""
    ends_at = time.monotonic() + within
    while time.monotonic() < ends_at:
        status = house.json("status")
        if all(feed["last_synced_at"] or feed["last_error"] for feed in status["feeds"]):
            return
        time.sleep(0.3)


ALWAYS = {
    "personal token": TOKEN,
    "password": PASSWORD,
    "refused password": REFUSED,
    "path secret": SECRET,
    "secret key": KEY,
    "client secret": CLIENT,
    "client secret of a source": LINK,
    "key of BM Parts": bmparts_demo.KEY,
    "token of Bime": bime_demo.TOKEN,
    "key of Rime": rime_demo.API_KEY,
    "heartbeat": HEARTBEAT,
    "operator's address": NOTIFY,
    "a person's address": CHANNEL,
    "a misplaced one": TYPED,
}
