"""`waggle`: one table of commands, each imported only when it is called.

Exit status: 0 done, 1 it failed, 2 the input was wrong and nothing was changed.
"""

import importlib

import click

from worker.cli import failures

# name: (module, one line for `waggle --help`)
COMMANDS = {
    "init": ("setup", "Write .env with fresh keys; print the URLs to register at Beeminder."),
    "apply": ("declaration", "Make users, sources and feeds what a TOML file says."),
    "up": ("processes", "Run everything on this machine until Ctrl-C."),
    "status": ("status", "How everything stands."),
    "gates": ("gates", "Which limits make us wait, until when; open one before its time."),
    "sync": ("syncing", "Sync a goal now."),
    "approve": ("deciding", "Send a correction that is held, or drop it."),
    "pin": ("deciding", "Leave a day as it is at Beeminder."),
    "explain": ("receipts", "The receipt of one day: what was read, sent and answered, and when."),
    "reconcile": ("reconciling", "Compare the ledger with what Beeminder holds; repair it."),
    "events": ("looking", "What came in, newest first."),
    "event": ("looking", "One event, whole."),
    "replay": ("acting", "Try events again, as new ones."),
    "datapoints": ("looking", "What was sent to a goal, and its state."),
    "runs": ("runs", "Runs that are followed, and their progress."),
    "run": ("watching", "Follow one more run, which you name."),
    "pause": ("acting", "Stop syncing a goal until it is resumed."),
    "resume": ("acting", "Sync a paused goal again."),
    "link": ("linking", "How a goal counts, what it is sent; makes Waggle its data source."),
    "unlink": ("unlinking", "Stop feeding a goal, and give its data source back."),
    "manual": ("unlinking", "Give a goal's data source back to its owner's hands."),
    "source": ("sources", "Look what is at a source: ids and names for the file."),
    "metrics": ("catalogue", "What can be counted at which system."),
    "provider": ("providing", "Try whether a source of your own keeps what ours keep."),
    "login": ("setup", "Print a link that signs you in to the pages, once."),
    "hook": ("setup", "Print a person's reminder URL."),
    "doctor": ("doctor", "Check settings, database, broker, workers, sources and Beeminder."),
    "notify": ("notifying", "Send a test to the addresses in WAGGLE_NOTIFY."),
    "person": ("person", "Everything about one person: to hand out, or to delete."),
    "keys": ("keys", "Look after the keys that encrypt what is stored."),
    "backup": ("backing_up", "Write everything that the ledger knows into one file."),
    "restore": ("restoring", "Put a backup into an empty database."),
    "probe": ("probing", "Find out at a real account what Beeminder's pages do not say."),
    "simulate": ("processes", "Run the simulated Beeminder and sources alone."),
    "demo": ("processes", "Watch callbacks arrive and datapoints land, all on this machine."),
    "migrate": ("processes", "Bring the database to this version."),
    "web": ("processes", "Run the receiver alone."),
    "worker": ("processes", "Run a worker alone."),
    "beat": ("processes", "Run the schedule alone."),
    "progress": ("processes", "Run a worker that only follows live progress."),
}


class Commands(click.Group):
    """Looks commands up in the table; turns known failures into one line on stderr."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """In the order of the table: what people need first comes first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """Import a command's module when it is called."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"worker.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """An unknown command is told with the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise failures.Refused(
                f"there is no command {args[0]!r}{failures.nearest(args[0], COMMANDS)}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """List all of them without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what a person can mend is one line, not a traceback."""
        with failures.told():
            return super().invoke(ctx)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done, 1 it failed, 2 the input was wrong (nothing was changed).",
)
@click.version_option(package_name="waggle-server", prog_name="waggle")
def cli() -> None:
    """Waggle keeps Beeminder goals fed from the systems where things happen.

    \b
    First steps:
      waggle init                 keys and addresses
      waggle apply waggle.toml    who, from where, to which goal
      waggle up                   run it
      waggle doctor               is everything in place?
    """  # noqa: D301 -- \b is click's mark for text that keeps its lines


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="waggle")


if __name__ == "__main__":
    main()
