"""Commands that run until they are told to stop, and those of the Procfile.

What they run is imported when they run: a receiver needs no Celery, `--help` needs nothing.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from worker.cli import failures
from worker.cli.house import opened, read_settings

QUEUES = ("urgent", "default", "bulk", "progress")

host_option = click.option("--host", metavar="H", help="Listen here instead of HOST.")
port_option = click.option(
    "--port", metavar="P", type=click.IntRange(0, 65535), help="Listen here instead of PORT."
)


@click.command()
@host_option
@port_option
def up(*, host: str | None, port: int | None) -> None:
    """Run receiver, workers and beat until SIGTERM or Ctrl-C.

    The database is brought up to date first; `ready http://H:P` is printed when all of them work.
    WAGGLE_WORKER_PROCESSES says how many workers: 2, or 1 where there is one processor.

    \b
    Examples:
      waggle up
      waggle up --host 0.0.0.0 --port 8080
      WAGGLE_WORKER_PROCESSES=4 waggle up
    """  # noqa: D301 -- \b is click's mark
    from worker import supervisor  # noqa: PLC0415 -- see the module

    with opened():
        pass  # a database out of reach is told here, in one line, and not by each process
    found = read_settings(host=host, port=port)
    if found.port == 0:
        raise failures.Refused("PORT: 0 is a port that nobody could find; name one, such as 8000")
    sys.stdout.flush()
    supervisor.exec_up(
        host=found.host,
        port=found.port,
        form=found.log_format,
        workers=found.worker_processes or min(2, os.cpu_count() or 1),
    )


@click.command()
@host_option
@port_option
def web(*, host: str | None, port: int | None) -> None:
    """Run the receiver alone."""
    from worker import processes  # noqa: PLC0415 -- see the module

    found = read_settings(host=host, port=port)
    sys.exit(processes.web(found, host=found.host, port=found.port))


@click.command()
@click.option(
    "--queues",
    default="urgent,default,bulk",
    show_default=True,
    metavar="LIST",
    help=f"Comma-separated: {', '.join(QUEUES)}, or all.",
)
@click.option("--slots", type=click.IntRange(1, 256), help="How much is done at once.")
@click.option("--with-beat", is_flag=True, help="Ring the schedule from this process too.")
def worker(*, queues: str, slots: int | None, with_beat: bool) -> None:
    """Run a worker alone.

    \b
    Examples:
      waggle worker --with-beat
      waggle worker --queues urgent --slots 32
    """  # noqa: D301 -- \b is click's mark
    names = QUEUES if queues == "all" else tuple(name.strip() for name in queues.split(","))
    unknown = [name for name in names if name not in QUEUES]
    if unknown:
        message = f"there is no queue {unknown[0]!r}; there is: {', '.join(QUEUES)}, all"
        raise click.BadParameter(message, param_hint="--queues")
    from worker import processes, runtime  # noqa: PLC0415 -- see the module

    sys.exit(
        processes.worker(
            read_settings(), queues=names, slots=slots or runtime.SLOTS, with_beat=with_beat
        )
    )


@click.command()
def beat() -> None:
    """Run the schedule alone. Several may run: every bell may ring twice."""
    from worker import processes  # noqa: PLC0415 -- see the module

    sys.exit(processes.only_beat(read_settings()))


@click.command()
def progress() -> None:
    """Run a worker that only follows live progress of runs."""
    from worker import processes  # noqa: PLC0415 -- see the module

    sys.exit(processes.progress(read_settings()))


@click.command()
@click.option("--no-copy", is_flag=True, help="Do not copy an SQLite database first.")
def migrate(*, no_copy: bool) -> None:
    """Bring the database to this version; every other command does it too.

    All of it is applied, or nothing. An SQLite database is copied to WAGGLE_HOME/backups first,
    and not migrated when it can't be; the five newest copies are kept. Of PostgreSQL no copy is
    made: `pg_dump` before an upgrade makes one.

    \b
    Examples:
      waggle migrate
      waggle migrate --no-copy
    """  # noqa: D301 -- \b is click's mark
    with opened(copy=not no_copy) as house:
        click.echo(f"the database is up to date ({house.ledger.url.get_backend_name()})")


@click.command()
@click.option("--host", metavar="H", default="127.0.0.1", show_default=True, help="Listen here.")
@click.option(
    "--port",
    metavar="P",
    type=click.IntRange(0, 65535),
    default=8100,
    show_default=True,
    help="Listen here.",
)
@click.option("--profile", type=click.Path(path_type=Path), help="What `waggle probe` wrote.")
def simulate(*, host: str, port: int, profile: Path | None) -> None:
    """Run the simulated Beeminder and sources alone, until Ctrl-C.

    They call back the Waggle of this environment, when it runs. Over HTTP they can be told to
    break (POST /_sim/faults) and to limit (POST /_sim/limits, GET shows who knocked early);
    BEMServer has these limits of its own under its address.

    \b
    Examples:
      waggle simulate --port 8100
      waggle simulate --profile beeminder-profile.json
      curl http://127.0.0.1:8100/_sim/limits -d '{"kind": "fixed", "requests": 60, "seconds": 60}'
    """  # noqa: D301 -- \b is click's mark
    from simulators import main as simulators  # noqa: PLC0415 -- see the module

    found = read_settings()
    secret, url = found.callback_secrets[0], found.public_url
    unknowns = None if profile is None else _unknowns(profile)
    try:
        status = simulators.run(
            host,
            port,
            autofetch_url=f"{url}/beeminder/autofetch/{secret}",
            deauthorize_url=f"{url}/beeminder/deauthorized/{secret}",
            redirect_uri=f"{url}/beeminder/callback",
            unknowns=unknowns,
        )
    except OSError as exc:
        raise failures.Failed(f"{host}:{port}: {exc.strerror or exc}") from exc
    sys.exit(status)


def _unknowns(path: Path) -> dict[str, Any]:
    """The settings of the simulator in a profile. Raises `Refused`."""
    from simulators import beeminder_unknowns  # noqa: PLC0415 -- as the simulators

    try:
        return beeminder_unknowns.settings_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as exc:
        raise failures.Refused(f"--profile {path}: {exc}") from exc


@click.command()
@click.option("--once", is_flag=True, help="End by itself: 0 if every datapoint landed, else 1.")
@click.option("--real", is_flag=True, help="Read a real BEMServer instead of the simulated one.")
def demo(*, once: bool, real: bool) -> None:
    """Watch real callbacks arrive and datapoints land, all on this machine.

    \b
    Example:
      waggle demo --once
    """  # noqa: D301 -- \b is click's mark
    from worker import demo as played  # noqa: PLC0415 -- see the module

    sys.exit(played.run(once=once, real=real))
