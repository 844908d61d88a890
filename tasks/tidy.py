"""Once a minute: are there tables that nobody looks after?"""

import structlog

from db import tidying
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)


def run(rt: Runtime) -> list[str]:
    """Tidy those that need it, one after the other; returns which."""
    with rt.ledger.read() as session:
        found = tidying.untidy(session)
    done = []
    for table in found:
        if rt.stopping.is_set():
            break
        tidying.tidy(rt.ledger, table)
        done.append(table)
        log.info("table.tidied", table=table)
    return done
