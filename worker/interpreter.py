"""The interpreter of a process that has to be on time: what it must not do in between.

A request that has taken its slot leaves then, and a callback is answered before its sender gives
up. Two habits of Python stand in the way, and each costs more than a slot at a usual limit.
"""

import gc
import sys

from sqlalchemy.orm import configure_mappers

# A thread that wakes up waits for the others' turns to end. SQLite gives its turn up at every row;
# with Python's 5 ms a commit waits for somebody else at each of them.
SWITCH_SECONDS = 0.0005
# Objects that are made before the collector looks at them. With Python's 700 a single sync outlives
# several looks, is taken for old, and waits for the long ones.
YOUNG = 10_000


def be_on_time() -> None:
    """Call it when everything is loaded, and nothing has been served yet.

    The collector walks over all that is loaded each time it looks for old cycles: a tenth of a
    second in which no thread moves. None of that ever becomes garbage, so it is left out. The rest
    is looked at less often, and more of it is gone by then.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    configure_mappers()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
