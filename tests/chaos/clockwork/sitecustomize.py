"""The wall clock of a process under test goes wrong: this folder stands first on its PYTHONPATH.

`CHAOS_CLOCK` names a file with the seconds by which it is wrong now, as eight bytes. Monotonic
clocks go on as they do on a real machine whose time somebody sets.
"""

import mmap
import os
import struct
import time

_right = time.time
with open(os.environ["CHAOS_CLOCK"], "rb") as _file:  # noqa: PTH123 -- before anything is imported
    _wrong = mmap.mmap(_file.fileno(), 8, access=mmap.ACCESS_READ)


def _time() -> float:
    return _right() + struct.unpack("d", _wrong[:8])[0]


time.time = _time
