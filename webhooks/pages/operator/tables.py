"""The tables as they are, for what no other page shows. `webhooks.table_views` makes them."""

from starlette.responses import Response

from webhooks import filters, visits
from webhooks.visits import Access, Visit

PATH = "/operator/tables"
FIELDS = ("search", "state", "page")


def tables(visit: Visit) -> Response:
    """`/operator/tables`: which there are; below it their rows."""
    from webhooks import table_views  # noqa: PLC0415 -- only carried by who opens a table

    query = visit.request.query_params
    for name in (*FIELDS, *query):  # said here, before it gets to the library
        filters.text(query, name)
    filters.text({"key": visit.request.path_params.get("rest", "")}, "key", longest=500)
    state = visit.request.app.state
    if not hasattr(state, "tables"):
        state.tables = table_views.Tables(visit.receiver)
    return table_views.Inside(state.tables, visit)


def moved(visit: Visit) -> Response:
    """Without the slash at the end."""
    return visit.go(f"{PATH}/")


ROUTES = (
    visits.page(PATH, moved, access=Access.OPERATOR),
    visits.page(f"{PATH}/{{rest:path}}", tables, access=Access.OPERATOR),
)
