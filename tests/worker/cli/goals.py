"""What the tests of commands about links set up and look at."""

from sqlmodel import select

from db.models import Goal
from tests.world import World

APP = "waggle"


def with_app(waggle, world: World):
    """The commands know an app that Beeminder knows too."""
    world.beeminder.register_app(
        APP, client_id=APP, client_secret="x", redirect_uri="https://x.example.org"
    )
    waggle.env |= {"WAGGLE_BEEMINDER_APP_NAME": APP, "WAGGLE_BEEMINDER_CLIENT_ID": APP}
    return waggle


def there(world: World, slug="energy"):
    """The goal at Beeminder."""
    return world.beeminder.state.goal("alice", slug)


def row(world: World, slug="energy"):
    """The goal in the ledger."""
    with world.reading() as session:
        return session.exec(select(Goal).where(Goal.slug == slug)).one()


def answering(monkeypatch, *answers):
    """Somebody sits at the terminal and says this; returns the questions they were asked."""
    left, asked = list(answers), []

    def confirm(question, **_more):
        asked.append(question)
        return left.pop(0)

    monkeypatch.setattr("worker.cli.questions.somebody", lambda: True)
    monkeypatch.setattr("click.confirm", confirm)
    return asked
