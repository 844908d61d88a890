"""The wall clocks of the processes under test, and how they are set wrong."""

import struct
from pathlib import Path

CLOCKWORK = Path(__file__).parent / "clockwork"


class WrongClock:
    """A clock in a file; every process that was given it reads it at each look at the time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.seconds = 0.0
        self.set(0.0)

    def set(self, seconds: float) -> None:
        """From now on it is wrong by so much."""
        self.seconds = seconds
        if not self.file.exists():
            self.file.write_bytes(struct.pack("d", seconds))
            return
        with self.file.open("r+b") as file:  # the same file: it is mapped
            file.write(struct.pack("d", seconds))

    def environment(self) -> dict[str, str]:
        """What a process needs to go by it."""
        return {"CHAOS_CLOCK": str(self.file), "PYTHONPATH": str(CLOCKWORK)}
