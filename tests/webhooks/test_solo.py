"""One thread of its own: in order, with errors handed over, and never in the way of an end."""

import asyncio
import subprocess
import sys
import threading

import pytest

from webhooks.solo import SoloThread


def test_jobs_run_in_order_on_one_other_thread():
    """What is given first is done first, and not on the loop's thread."""

    async def ask():
        thread = SoloThread("test")
        asked = [thread.call(lambda at=at: (at, threading.get_ident())) for at in range(50)]
        answers = await asyncio.gather(*asked)
        thread.stop()
        return answers

    answers = asyncio.run(ask())

    assert [at for at, _ in answers] == list(range(50))
    threads = {ident for _, ident in answers}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_an_error_is_the_callers_and_the_thread_goes_on():
    """A job that fails fails for whoever asked, and for nobody after it."""

    async def ask():
        thread = SoloThread("test")
        failing = thread.call(lambda: 1 // 0)
        fine = thread.call(lambda: "fine")
        try:
            with pytest.raises(ZeroDivisionError):
                await failing
            return await fine
        finally:
            thread.stop()

    assert asyncio.run(ask()) == "fine"


def test_an_answer_that_nobody_waits_for_is_dropped():
    """A caller that gave up, or a loop that is gone, breaks nothing."""
    let = threading.Event()
    thread = SoloThread("test")

    async def give_up():
        asked = thread.call(let.wait)
        asked.cancel()

    asyncio.run(give_up())
    let.set()
    done = threading.Event()
    thread.do(done.set)
    thread.stop()

    assert done.wait(10)


def test_a_job_that_hangs_keeps_no_process():
    """The interpreter ends although a job never does."""
    code = """
import threading
from webhooks.solo import SoloThread
SoloThread("test").do(threading.Event().wait)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=20, check=False)

    assert done.returncode == 0
