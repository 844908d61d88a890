"""Promises of `waggle provider test`: a line for each promise, and never a traceback."""

import pytest

from tests.worker.kit import breaking, sample
from worker.kit import run

HERE = "tests.worker.cli.test_providing"
SAMPLE = "tests.worker.kit.sample"
BROKEN = sample.with_reader(breaking.OwnGate)

TALKS = sample.with_reader(breaking.LogsKey)


class Given:
    """Gives things when it is called."""

    def __new__(cls):
        """A provider, not one of these."""
        return sample.PROVIDER


def fails():
    """Can't give one."""
    raise RuntimeError("no network here")


NOTHING = 17


def test_a_good_provider_is_all_ok(waggle):
    """A line for each promise, exit status 0; the trial of its module is found."""
    lines = waggle("provider", "test", f"{SAMPLE}:PROVIDER").stdout.splitlines()
    assert len(lines) == len(run.PROMISES)
    assert all(line.startswith("ok ") for line in lines)


def test_a_broken_one_says_what_and_what_to_do(waggle):
    """Exit status 1; what was seen and the remedy are on the line of the promise."""
    trial = ("--trial", f"{SAMPLE}:TRIAL")
    told = waggle.json("provider", "test", f"{HERE}:BROKEN", *trial, status=1)
    (passed,) = [line for line in told if line["promise"] == "the gate is passed"]
    assert passed["state"] == "broken"
    assert "0 passed the gate" in passed["problems"][0]
    assert "link.gate" in passed["remedy"]
    assert next(line for line in told if line["promise"] == "values are right")["state"] == "ok"


def test_what_a_provider_logs_is_not_in_the_answer(waggle):
    """Stdout is one JSON document, whatever a stranger's code has to say."""
    told = waggle.json("provider", "test", f"{HERE}:TALKS", "--trial", f"{SAMPLE}:TRIAL", status=1)
    broken = [line for line in told if line["state"] == "broken"]
    assert [line["promise"] for line in broken] == ["secrets are kept"]
    assert "a log record" in broken[0]["problems"][0]


def test_without_a_trial_nothing_is_proven(waggle):
    """What can be seen without a vendor is, the rest is broken with a pointer to the example."""
    done = waggle("provider", "test", f"{HERE}:Given", status=1)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok     names agree")
    assert any("not proven" in line and "examples/waggle-json" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("json", "is not MODULE:NAME"),
        (":PROVIDER", "is not MODULE:NAME"),
        ("no_such_module:PROVIDER", "can't be imported: ModuleNotFoundError"),
        (f"{HERE}:MISSING", "has no MISSING"),
        (f"{HERE}:NOTHING", "is of type int, not a tasks.providers.Provider"),
        (f"{HERE}:fails", "fails() raises RuntimeError: no network here"),
        (f"{HERE}:test_a_broken_one_says_what_and_what_to_do", "raises TypeError"),
    ],
    ids=["no colon", "no module", "import", "attribute", "number", "raises", "arguments"],
)
def test_what_is_no_provider_is_one_line(waggle, name, says):
    """Exit status 2 and one line, whatever it is."""
    assert says in waggle.refusal("provider", "test", name)


def test_a_trial_that_is_none_is_one_line(waggle):
    """The same of --trial."""
    trial = ("--trial", f"{HERE}:NOTHING")
    assert "not a tasks.trial.Trial" in waggle.refusal(
        "provider", "test", f"{SAMPLE}:PROVIDER", *trial
    )


def test_a_module_that_can_not_be_parsed_is_one_line(waggle, folder):
    """Whoever tries a package stands in its folder: a slip there is no traceback."""
    (folder / "slipped_source.py").write_text("PROVIDER = (\n")
    assert "SyntaxError" in waggle.refusal("provider", "test", "slipped_source:PROVIDER")


def test_the_help_shows_how(waggle):
    """Both uses are there to copy."""
    text = waggle("provider", "test", "--help").stdout
    assert "waggle provider test waggle_json:PROVIDER" in text
    assert "--trial my_tests.vendor:TRIAL" in text
