"""How the simulated Bime shows its records: lists and single ones, envelope, validators, 304.

The fields are those of the page's examples. In v3 a named user has a `login` as well.
"""

import hashlib
import json
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulators.bime_state import BimeState, Fields

_MEDIA = "application/json; charset=utf-8"


def of_list(state: BimeState, version: str, account: str, resource: str) -> list[Fields]:
    """All records of a list, in the order of their ids: there are no pages."""
    records = state.records[account][resource].values()
    return [_shown(state, version, resource, record) for record in records]


def single(
    state: BimeState, version: str, account: str, resource: str, number: int
) -> Fields | None:
    """One record with what only a single one shows, None if there is none."""
    records = state.records[account]
    record = records[resource].get(number)
    if record is None:
        return None
    links = records["dashboard_subscriptions"].values()
    shown = dict(record)
    match resource:
        case "dashboards":
            groups = [one["named_user_group_id"] for one in links if one["dashboard_id"] == number]
            shown |= {
                "password_protected": False,
                "group_security": bool(groups),
                "connections": _names(records["connections"], list(records["connections"])),
                "named_user_groups": _names(records["named_user_groups"], groups),
            }
        case "connections":
            rules = records["data_security_rules"].values()
            shown |= {
                "schema": [{"datafield": "sales", "display_name": "Sales", "is_measure": True}],
                "data_security_rules": [
                    {
                        "id": rule["id"],
                        "datafield": rule["datafield"],
                        "authorized_values": ", ".join(rule["authorized_values"]),
                    }
                    for rule in rules
                    if str(rule["connection_id"]) == str(number)
                ],
            }
        case "named_user_groups":
            seen = [one["dashboard_id"] for one in links if one["named_user_group_id"] == number]
            securities = records["named_user_group_securities"].values()
            shown |= {
                "data_security_rules": [
                    {"id": one["data_security_rule_id"]}
                    for one in securities
                    if one["named_user_group_id"] == number
                ],
                "dashboards": _names(records["dashboards"], seen),
            }
        case "data_security_rules":
            found = _names(records["connections"], [int(record["connection_id"])])
            shown |= {"connection": found[0] if found else None, "name_user_groups": []}
    return _shown(state, version, resource, shown)


def answer(
    state: BimeState,
    request: Request,
    version: str,
    body: Any,  # noqa: ANN401 - any JSON
    *,
    resource: str,
    account: str,
) -> Response:
    """The body with its validators, or a bare 304."""
    switches = state.switches
    content = json.dumps(_enveloped(state, version, result=body))
    headers: dict[str, str] = {}
    kind = switches.of_list.get(resource, switches.validators)
    if kind in ("etag", "both"):
        digest = hashlib.sha256(content.encode()).hexdigest()[:32]
        headers["etag"] = f'W/"{digest}"' if switches.weak else f'"{digest}"'
    if kind in ("last-modified", "both"):
        headers["last-modified"] = formatdate(state.changed_at(resource, account), usegmt=True)
    if _unchanged(request, headers):
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers, _MEDIA)


def failure(
    state: BimeState,
    version: str,
    status: int,
    text: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in the shape of the version."""
    content = json.dumps(_enveloped(state, version, error=text))
    return Response(content, status, dict(headers or {}), _MEDIA)


def _enveloped(state: BimeState, version: str, *, result: Any = None, error: Any = None) -> Any:  # noqa: ANN401
    wrapped = state.switches.wrapped
    if wrapped if wrapped is not None else version == "v3":
        return {"result": result, "error": error}
    return result if error is None else {"error": error}


def _unchanged(request: Request, headers: Mapping[str, str]) -> bool:
    """RFC 9110, 13.2.2: entity tags first, and a date only where no tag was sent."""
    asked = request.headers.get("if-none-match")
    if asked is not None:
        tags = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
        return headers.get("etag", "").removeprefix("W/") in tags
    since = request.headers.get("if-modified-since")
    if since is None or "last-modified" not in headers:
        return False
    try:
        known = parsedate_to_datetime(since)
    except ValueError:
        return False
    return parsedate_to_datetime(headers["last-modified"]) <= known


def _shown(state: BimeState, version: str, resource: str, record: Fields) -> Fields:
    shown = dict(record)
    if resource == "named_users" and version == "v3":
        shown.setdefault("login", f"viewer-{record['id']}@example.org")
    if state.switches.ids == "text":
        shown["id"] = str(record["id"])
    return shown


def _names(records: Mapping[int, Fields], numbers: list[int]) -> list[Fields]:
    return [
        {"id": number, "name": records[number]["name"]} for number in numbers if number in records
    ]
