"""Commands for the first day: init, login, hook."""

import os
import secrets
from pathlib import Path

import click

from db import people
from db.models import LoginLink
from tasks import declare_people
from worker import keyfiles, settings
from worker.cli import dotenv, failures
from worker.cli.declaration import reminder_url
from worker.cli.house import House, opened, read_settings, user_named
from worker.settings import Settings

DOTENV = Path(".env")
LINK_SECONDS = 15 * 60


@click.command()
@click.option("--force", is_flag=True, help="Put fresh keys into a .env that is there already.")
@click.option("--public-url", metavar="URL", help="The address that Beeminder and browsers use.")
def init(*, force: bool, public_url: str | None) -> None:
    """Write .env with fresh keys, and print the three URLs to register at Beeminder.

    With --force the keys that are in use stay behind the fresh ones, so that what they encrypted
    can still be read and old addresses still work; take them out when nothing needs them.

    \b
    Example:
      waggle init --public-url https://waggle.example.org
    """  # noqa: D301 -- \b is click's mark
    if DOTENV.exists() and not force:
        raise failures.Refused(
            f"{DOTENV.absolute()} is there already; --force puts fresh keys in front of the old"
        )
    before = settings.environment({}, DOTENV)
    home = settings.load({**before, **os.environ, **_placeholders()}, dotenv=None).home
    values = {
        "WAGGLE_SECRET_KEYS": _in_front(
            keyfiles.new_key(), before.get("WAGGLE_SECRET_KEYS"), home / "secret.key"
        ),
        "WAGGLE_CALLBACK_SECRETS": _in_front(
            keyfiles.new_secret(),
            before.get("WAGGLE_CALLBACK_SECRETS") or before.get("WAGGLE_CALLBACK_SECRET"),
            home / "callback.secret",
        ),
    }
    if public_url is not None:
        values["WAGGLE_PUBLIC_URL"] = public_url
    # Checked before anything is written: a bad address is refused, not stored.
    settings.load({**before, **os.environ, **values}, dotenv=None)
    dotenv.write(DOTENV, values)
    click.echo(f"wrote {DOTENV.absolute()} (keep a copy of WAGGLE_SECRET_KEYS apart)")
    _show_urls(read_settings())


def _placeholders() -> dict[str, str]:
    """Keys for a look at the other settings, so that no key file is made on the way."""
    return {
        "WAGGLE_SECRET_KEYS": keyfiles.new_key(),
        "WAGGLE_CALLBACK_SECRETS": keyfiles.new_secret(),
    }


def _in_front(fresh: str, given: str | None, file: Path) -> str:
    """The fresh key, then those that are in use: what they encrypted must stay readable."""
    old = given or (file.read_text(encoding="ascii").strip() if file.exists() else "")
    return ",".join(part for part in (fresh, *old.split(",")) if part.strip())


def _show_urls(found: Settings) -> None:
    secret = found.callback_secrets[0]
    click.echo("register at Beeminder:")
    click.echo(f"  autofetch callback        {found.public_url}/beeminder/autofetch/{secret}")
    click.echo(f"  post-deauthorize callback {found.public_url}/beeminder/deauthorized/{secret}")
    click.echo(f"  redirect URL              {found.public_url}/beeminder/callback")


@click.command()
@click.option("--user", metavar="USER", help="Sign in as this person, still as an operator.")
def login(*, user: str | None) -> None:
    """Print a link that signs you in to the pages as operator: it works once, for 15 minutes.

    \b
    Examples:
      waggle login
      waggle login --user alice
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        secret = secrets.token_urlsafe(24)
        with house.ledger.write() as session:
            username = user_named(session, user).username if user else _operator(house)
            session.add(
                LoginLink(
                    secret_hash=house.vault.fingerprint(secret),
                    username=username,
                    expires_at=house.now() + LINK_SECONDS,
                )
            )
        click.echo(f"{house.settings.public_url}/login/{secret}")


def _operator(house: House) -> str:
    # A name that nobody has is fine: an operator need not be anybody at Beeminder.
    return min(house.settings.operators, default="operator")


@click.command()
@click.argument("user", metavar="USER")
def hook(*, user: str) -> None:
    """Print a person's reminder URL, to be pasted at Beeminder as their webhook.

    \b
    Example:
      waggle hook alice
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        with house.ledger.write() as session:
            row = user_named(session, user)
            if row.hook_cipher is None:  # connected by OAuth, never in a file
                people.renew_hook(row, house.vault)
                session.add(row)
            secret = declare_people.hook(row, house.vault)
        click.echo(reminder_url(house, secret))
