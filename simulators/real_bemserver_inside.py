"""Runs inside the real BEMServer's own environment: makes its tables, seeds it, serves it.

Started as a script with the path of a JSON plan (see `RealBemserver`); prints `ready <port>` when
it serves, and ends when its standard input closes, so that it never outlives who began it.
"""

import json
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# What follows lives in the other environment, where no type checker of ours looks.
import bemserver_api  # type: ignore[import-not-found]  # see above
import sqlalchemy as sa
from bemserver_api.extensions import authentication  # type: ignore[import-not-found]  # see above
from bemserver_core import (  # type: ignore[import-not-found]  # see above
    authorization,
    commands,
    database,
    model,
)
from werkzeug import exceptions, serving
from werkzeug.middleware import dispatcher

ROWS_AT_ONCE = 5000


def main(plan_path: Path) -> None:
    """Serve the plan until standard input ends."""
    plan = json.loads(plan_path.read_text())
    os.environ["BEMSERVER_CORE_SETTINGS_FILE"] = plan["core_settings"]
    os.environ["BEMSERVER_API_SETTINGS_FILE"] = plan["api_settings"]
    # Upstream these are class constants, not settings.
    if plan["access_lifetime"] is not None:
        authentication.Auth.ACCESS_TOKEN_LIFETIME = plan["access_lifetime"]
    if plan["refresh_lifetime"] is not None:
        authentication.Auth.REFRESH_TOKEN_LIFETIME = plan["refresh_lifetime"]
    app = bemserver_api.create_app()
    commands.setup_db()
    with authorization.OpenBar():
        seed(plan["seed"])
    database.db.session.remove()
    if plan["prefix"]:
        app.wsgi_app = dispatcher.DispatcherMiddleware(
            exceptions.NotFound(), {plan["prefix"]: app.wsgi_app}
        )
    server = serving.make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=_until_input_ends, args=(server,), daemon=True).start()
    sys.stdout.write(f"ready {server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.05)
    _drop_database()


def seed(plan: dict[str, Any]) -> None:
    """Write users, campaigns, groups, series and samples, each in the order of the plan."""
    session = database.db.session
    users = {user["email"]: _user(user) for user in plan["users"]}
    scopes = {}
    for campaign in plan["campaigns"]:
        row = _add(model.Campaign(name=campaign["name"], timezone=campaign["timezone"]))
        for name in campaign["scopes"]:
            scopes[campaign["name"], name] = _add(
                model.CampaignScope(name=name, campaign_id=row.id)
            )
    for group in plan["groups"]:
        _group(group, users, scopes)
    states = {state.name: state for state in session.scalars(sa.select(model.TimeseriesDataState))}
    for series in plan["series"]:
        scope = scopes[series["campaign"], series["scope"]]
        row = _add(
            model.Timeseries(
                name=series["name"],
                description=series["description"],
                unit_symbol=series["unit"],
                campaign_id=scope.campaign_id,
                campaign_scope_id=scope.id,
            )
        )
        for state, samples in series["samples"].items():
            _samples(row.get_timeseries_by_data_state(states[state]).id, samples)
    session.commit()


def _group(group: dict[str, Any], users: dict[str, Any], scopes: dict[Any, Any]) -> None:
    row = _add(model.UserGroup(name=group["name"]))
    mine = [scopes[campaign, name] for campaign, name in group["scopes"]]
    for email in group["members"]:
        _add(model.UserByUserGroup(user_id=users[email].id, user_group_id=row.id))
    for campaign_id in sorted({scope.campaign_id for scope in mine}):
        _add(model.UserGroupByCampaign(user_group_id=row.id, campaign_id=campaign_id))
    for scope in mine:
        _add(model.UserGroupByCampaignScope(user_group_id=row.id, campaign_scope_id=scope.id))


def _user(user: dict[str, Any]) -> Any:  # noqa: ANN401 - a model of the other environment
    return _add(
        model.User(
            name=user["name"],
            email=user["email"],
            password=model.users.ph.hash(user["password"]),
            _is_admin=user["admin"],
            _is_active=user["active"],
        )
    )


def _samples(series_state: int, samples: list[list[float]]) -> None:
    rows = [
        {
            "ts_by_data_state_id": series_state,
            "timestamp": datetime.fromtimestamp(at, tz=UTC),
            "value": value,
        }
        for at, value in samples
    ]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        database.db.session.execute(
            sa.insert(model.TimeseriesData.__table__), rows[start : start + ROWS_AT_ONCE]
        )


def _add(row: Any) -> Any:  # noqa: ANN401 - a model of the other environment
    # Flushed one by one: ids must follow the order of the plan.
    database.db.session.add(row)
    database.db.session.flush()
    return row


def _drop_database() -> None:
    # Who began us does it too; but it may have been killed.
    url = database.db.url
    database.db.engine.dispose()
    engine = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)'))


def _until_input_ends(server: Any) -> None:  # noqa: ANN401 - a server of the other environment
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
