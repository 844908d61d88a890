"""The time zones that the real BEMServer knows, which are fewer than there are.

Its list was made in 2022 and leaves out the aliases: US/Pacific, Asia/Calcutta or Europe/Kiev are
refused. That is the table of places with a zone, changed a little since, and some names besides.
"""

import importlib.resources
import zoneinfo
from datetime import timedelta, timezone, tzinfo

_SINCE = {"America/Ciudad_Juarez", "America/Coyhaique", "Asia/Nicosia"}
_GONE = {
    *("America/Nipigon", "America/Pangnirtung", "America/Rainy_River", "America/Thunder_Bay"),
    *("America/Yellowknife", "Asia/Choibalsan", "Europe/Nicosia", "Europe/Uzhgorod"),
    "Europe/Zaporozhye",
}
_SHORT = {
    *("CET", "EET", "EST", "GMT", "HST", "MET", "MST", "UTC", "WET"),
    *("CST6CDT", "EST5EDT", "MST7MDT", "PST8PDT"),
}
_ETC = {
    *("GMT", "GMT0", "Greenwich", "UTC", "Universal", "Zulu"),
    *(f"GMT+{hours}" for hours in range(13)),
    *(f"GMT-{hours}" for hours in range(15)),
}
# PostgreSQL takes these for abbreviations, which have no summer time.
_ABBREVIATED = {"WET": 0, "CET": 1, "MET": 1, "EET": 2}


def _places() -> set[str]:
    table = importlib.resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text()
    return {line.split("\t")[2] for line in table.splitlines() if not line.startswith("#")}


NAMES = sorted(
    ((_places() - _SINCE) | _GONE | _SHORT | {f"Etc/{name}" for name in _ETC})
    & zoneinfo.available_timezones()
)


def of_the_database(zone: zoneinfo.ZoneInfo) -> tzinfo:
    """Return the zone as PostgreSQL understands its name."""
    hours = _ABBREVIATED.get(zone.key)
    return zone if hours is None else timezone(timedelta(hours=hours))
