"""Promises about the file: right things come out, wrong things are all told, secrets never are."""

import pytest

from tasks import declare_file, declare_sources, declared, providers
from tasks.declare_problems import DeclarationError
from tasks.declare_sources import HTTPS, Addresses

NOW = 1_793_880_000.0  # 2026-11-05T12:00:00Z
ENV = {"ALICE_TOKEN": "canary-token", "PLANT_PASSWORD": "canary-password", "EMPTY": ""}
GOOD = """
[users.Alice]
token = { env = "ALICE_TOKEN" }

[sources.plant]
provider = "bemserver"
user = "alice"
url = "https://bem.example.org/api/v0"
email = "alice@example.org"
password = { env = "PLANT_PASSWORD" }

[feeds."alice/Energy"]
source = "plant"
metric = "timeseries_aggregate"
params = { timeseries = 1, aggregation = "sum", data_state = "Clean" }
since = 2026-11-01
every = "1h"
comment = "{value} {unit} from {source}"
corrections = "careful"
"""


def parse(text, *, addresses=HTTPS, env=None):
    """The declaration in this text."""
    return declare_file.parse(
        text,
        file="waggle.toml",
        env=ENV if env is None else env,
        providers=providers.table(),
        addresses=addresses,
        now=NOW,
    )


def problems(text, **options):
    """What is wrong with this text, without the name of the file."""
    with pytest.raises(DeclarationError) as refused:
        parse(text, **options)
    assert all(line.startswith("waggle.toml: ") for line in refused.value.problems)
    assert "canary" not in str(refused.value)
    return [line.removeprefix("waggle.toml: ") for line in refused.value.problems]


def only_problem(text, **options):
    """The single thing that is wrong with this text."""
    found = problems(text, **options)
    assert len(found) == 1, found
    return found[0]


def changed(before, after):
    """The good file with one thing changed."""
    assert before in GOOD
    return GOOD.replace(before, after)


def test_the_file_of_the_contract_is_understood():
    """Names are lower-cased, secrets looked up and kept apart, defaults filled in."""
    found = parse(GOOD)
    (user,), (source,), (feed,) = found.users, found.sources, found.feeds
    assert (user.username, user.token, user.token_kind) == ("alice", "canary-token", "personal")
    assert source.settings == {
        "url": "https://bem.example.org/api/v0",
        "email": "alice@example.org",
    }
    assert source.credentials == {"password": "canary-password"}
    assert feed.name == "alice/energy"
    assert (feed.since, feed.every) == ("20261101", 3600.0)
    assert feed.params == {"timeseries": 1, "aggregation": "sum", "data_state": "Clean"}
    assert feed.options == {
        "comment": "{value} {unit} from {source}",
        "corrections": "careful",
        "on_edit": "keep",
        "datasource": "set",
        "zeros": True,
        "accept_aggday": False,
    }


def test_no_secret_is_in_a_repr():
    """A declaration that ends in a log or a traceback shows no credentials."""
    assert "canary" not in repr(parse(GOOD))


def test_what_was_not_chosen_follows_the_setting():
    """Without `corrections` and `comment` nothing is stored that would hide the setting."""
    text = changed('corrections = "careful"\n', "").replace(
        'comment = "{value} {unit} from {source}"\n', ""
    )
    assert parse(text).feeds[0].options.keys() == {
        "on_edit",
        "datasource",
        "zeros",
        "accept_aggday",
    }


def test_an_empty_file_declares_nothing():
    """Nothing declared is no mistake."""
    found = parse("")
    assert (found.users, found.sources, found.feeds) == ((), (), ())


@pytest.mark.parametrize(
    ("before", "after", "key", "told"),
    [
        ("[users.Alice]", "[user.x]\n[users.Alice]", "user", "did you mean 'users'?"),
        ("token = {", "tokn = 1\ntoken = {", "users.Alice.tokn", "did you mean 'token'?"),
        ('"ALICE_TOKEN"', '"ALICE_TOKE"', "users.Alice.token", "ALICE_TOKE is not set"),
        ('{ env = "ALICE_TOKEN" }', '"canary "', "users.Alice.token", "space"),
        ('{ env = "ALICE_TOKEN" }', "17", "users.Alice.token", "has to be text"),
        ('{ env = "PLANT_PASSWORD" }', '{ env = "EMPTY" }', "sources.plant.password", "not set"),
        ('{ env = "PLANT_PASSWORD" }', '""', "sources.plant.password", "is empty"),
        ('password = { env = "PLANT_PASSWORD" }\n', "", "sources.plant.password", "is missing"),
        ("password =", "pasword = 1\npassword =", "sources.plant.pasword", "'password'?"),
        ('"bemserver"', '"bemsever"', "sources.plant.provider", "did you mean 'bemserver'?"),
        ('provider = "bemserver"\n', "", "sources.plant.provider", "is missing; there is: bem"),
        ('user = "alice"\n', "", "sources.plant.user", "is missing"),
        ('user = "alice"', 'user = "alise"', "sources.plant.user", "did you mean 'alice'?"),
        ("https://bem", "http://bem", "sources.plant.url", "plain http"),
        ("https://bem", "ftp://bem", "sources.plant.url", "https://"),
        ("https://bem", "https://u:canary@bem", "sources.plant.url", "login"),
        ("/api/v0", "/api/v0?x=1", "sources.plant.url", "may not hold"),
        (
            "https://bem.example.org/api/v0",
            "https://bem:99999/",
            "sources.plant.url",
            "well-formed",
        ),
        ("alice/Energy", "alice.energy", 'feeds."alice.energy"', "user/goal"),
        ("alice/Energy", "alise/energy", 'feeds."alise/energy"', "did you mean 'alice'?"),
        ("alice/Energy", "alice/en ergy", 'feeds."alice/en ergy"', "user/goal"),
        ("alice/Energy", "alice/energy:", 'feeds."alice/energy:"', "user/goal"),
        ('source = "plant"', 'source = "plan"', 'feeds."alice/Energy".source', "'plant'?"),
        ("timeseries_aggregate", "timeserie", 'feeds."alice/Energy".metric', "timeseries_agg"),
        (
            "timeseries = 1",
            "timeseries = 1, timeserie = 1",
            'feeds."alice/Energy".params.timeserie',
            "timeseries",
        ),
        ('"sum"', '"summ"', 'feeds."alice/Energy".params.aggregation', "'sum'"),
        ("timeseries = 1", 'timeseries = "x"', 'feeds."alice/Energy".params', "campaign"),
        ("2026-11-01", "2026-11-07", 'feeds."alice/Energy".since', "in the future"),
        ("2026-11-01", '"2026-02-30"', 'feeds."alice/Energy".since', "such as 2026-11-01"),
        ("2026-11-01", "2026-11-01T00:00:00Z", 'feeds."alice/Energy".since', "such as"),
        ("2026-11-01", "20261101", 'feeds."alice/Energy".since', "such as 2026-11-01"),
        ('"1h"', '"30s"', 'feeds."alice/Energy".every', '"1m"'),
        ('"1h"', '"soon"', 'feeds."alice/Energy".every', '"15m"'),
        ('"1h"', "60", 'feeds."alice/Energy".every', '"15m"'),
        ("{unit}", "{units}", 'feeds."alice/Energy".comment', "{unit}"),
        ("{value}", "{value.__class__}", 'feeds."alice/Energy".comment', "{value}"),
        ("{value}", "{value!r}", 'feeds."alice/Energy".comment', "{value}"),
        ("{value}", "{value:>9999999}", 'feeds."alice/Energy".comment', "{value}"),
        ("{value}", "{}", 'feeds."alice/Energy".comment', "{value}"),
        ("{value}", "{value", 'feeds."alice/Energy".comment', "{"),
        ('"careful"', '"always!"', 'feeds."alice/Energy".corrections', "'careful'"),
        ("every", 'zeros = "no"\nevery', 'feeds."alice/Energy".zeros', "true or false"),
        ("every", 'on_edit = "x"\nevery', 'feeds."alice/Energy".on_edit', "'keep'"),
        ("every", 'datasource = "x"\nevery', 'feeds."alice/Energy".datasource', "'set'"),
        ("every", "evry = 1\nevery", 'feeds."alice/Energy".evry', "did you mean 'every'?"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_what_is_right(before, after, key, told):
    """One mistake is one line: the key, what was wrong, the nearest right name."""
    line = only_problem(changed(before, after))
    assert line.startswith(f"{key}: ")
    assert told in line


def test_all_mistakes_are_told_at_once():
    """Five mistakes in three tables are five lines, and none that follows from another."""
    text = (
        changed('"ALICE_TOKEN"', '"NOT_SET"')
        .replace('"bemserver"', '"bemsever"')
        .replace('"1h"', '"1x"')
        .replace('"careful"', '"so-so"')
        .replace("[sources", "[extra]\n[sources")
    )
    assert [line.split(": ")[0] for line in problems(text)] == [
        "extra",
        "users.Alice.token",
        "sources.plant.provider",
        'feeds."alice/Energy".every',
        'feeds."alice/Energy".corrections',
    ]


def test_what_is_not_toml_is_told_with_its_place():
    """A slip of syntax is one line with the line number."""
    assert "line 2" in only_problem("[users.alice]\ntoken = \n")


@pytest.mark.parametrize("text", ["users = 1", "feeds = []", "[users]\nalice = 'canary'"])
def test_odd_shapes_are_told(text):
    """Values where tables belong are a complaint, not a crash."""
    assert "has to be" in only_problem(text)


def test_plain_http_is_for_this_machine_or_by_leave():
    """Plain http to loopback is fine, to others only when the setting allows it."""
    assert parse(changed("https://bem.example.org", "http://127.0.0.1:5000"))
    assert parse(changed("https://bem.example.org", "http://localhost:5000"))
    assert parse(changed("https://bem.example.org", "http://[::1]:5000"))
    assert parse(changed("https://", "http://"), addresses=Addresses(http=True))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.example.org/", "http://localhost.example.org/", "http://10.0.0.1/"]
)
def test_hosts_that_only_look_like_this_machine_are_refused(url):
    """A name that begins like loopback is a host of somebody else."""
    assert "plain http" in declare_sources.wrong_address(url)


def test_a_date_of_today_is_fine_wherever_it_is_today():
    """At noon UTC the sixth has begun in the far east: not the future."""
    assert parse(changed("2026-11-01", "2026-11-06")).feeds[0].since == "20261106"
    assert parse(changed("2026-11-01", '"2026-11-05"')).feeds[0].since == "20261105"


def test_two_feeds_of_one_goal_need_labels_and_different_things():
    """The same thing counted twice on one goal is refused, also under another source name."""
    twin = GOOD + GOOD.rsplit("\n\n", maxsplit=1)[-1].replace("alice/Energy", "alice/energy:b")
    line = only_problem(twin)
    assert line.startswith('feeds."alice/energy:b": ')
    assert "'alice/energy'" in line
    assert len(parse(twin.replace("timeseries = 1", "timeseries = 2", 1)).feeds) == 2


def test_the_same_account_under_another_name_is_the_same():
    """A second source with the same login does not make the same thing another one."""
    second = GOOD.split("\n\n")[1].replace("sources.plant", "sources.other")
    feed = GOOD.rsplit("\n\n", maxsplit=1)[-1].replace("alice/Energy", "alice/energy:b")
    line = only_problem("\n\n".join([GOOD, second, feed.replace('"plant"', '"other"')]))
    assert line.startswith('feeds."alice/energy:b": ')
    assert "twice" in line


def test_names_that_differ_in_case_only_are_one():
    """The second of two tables that mean the same is a mistake."""
    twice = GOOD + GOOD.rsplit("\n\n", maxsplit=1)[-1].replace("alice/Energy", "ALICE/energy")
    assert "stands twice" in only_problem(twice)


def test_a_source_of_somebody_else_is_refused():
    """Nobody's feed reads with another person's credentials."""
    text = GOOD.replace("[sources", "[users.bob]\ntoken = 'x'\n\n[sources").replace(
        'user = "alice"', 'user = "bob"'
    )
    line = only_problem(text)
    assert line.startswith('feeds."alice/Energy".source: ')
    assert "bob" in line


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Alice/Energy", ("alice", "energy", "")),
        ("a/b:C", ("a", "b", "c")),
        ("a", None),
        ("a/", None),
        ("/b", None),
        ("a/b/c", None),
        ("a/b:", None),
        ("a/b:c:d", None),
        ("", None),
    ],
)
def test_names_of_feeds(text, parts):
    """user/goal or user/goal:label, and nothing else."""
    assert declared.split_name(text) == parts


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("1h30m", 5400), ("2d", 172800), ("90s", 90)]
)
def test_times_between_syncs(text, seconds):
    """Minutes, hours, days and sums of them."""
    assert parse(changed('"1h"', f'"{text}"')).feeds[0].every == seconds
