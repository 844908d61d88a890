"""`waggle metrics`: what can be counted, from the models that check the file."""

from typing import Any

import click
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tasks import providers
from tasks.providers import Metric, Provider
from worker.cli import output


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def metrics(*, as_json: bool) -> None:
    """What can be counted at which system, and what stands in the file for it.

    \b
    Example:
      waggle metrics
    """  # noqa: D301 -- \b is click's mark
    found = [_provider(provider) for provider in providers.table().values()]
    if as_json:
        output.document(found)
        return
    for provider in found:
        click.echo(click.style(f"{provider['provider']}", bold=True) + f": {provider['title']}")
        click.echo("  settings of a source")
        _fields(provider["settings"])
        for metric in provider["metrics"]:
            click.echo(f"  metric {click.style(metric['metric'], bold=True)}")
            click.echo(f"    {metric['description']}")
            past = "" if metric["history"] else "; past days can't be asked for"
            click.echo(f"    a day's value is a {metric['kind']}{past}")
            click.echo("    params" if metric["params"] else "    no params")
            _fields(metric["params"])
        click.echo()


def _fields(fields: list[dict[str, Any]]) -> None:
    width = max((len(field["name"]) for field in fields), default=0)
    for field in fields:
        if field["required"]:
            default = "required"
        elif field["default"] is None:
            default = "optional"
        else:
            default = f"default {field['default']}"
        secret = ", secret" if field["secret"] else ""
        click.echo(
            f"      {field['name']:{width}}  {field['description']} "
            f"({field['type']}{secret}, {default})"
        )


def _provider(provider: Provider) -> dict[str, Any]:
    secrets = provider.settings.secrets()
    return {
        "provider": provider.name,
        "title": provider.title,
        "settings": [
            _field(name, field, secret=name in secrets)
            for name, field in provider.settings.model_fields.items()
        ],
        "metrics": [_metric(metric) for metric in provider.metrics.values()],
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "metric": metric.name,
        "description": metric.description,
        "kind": metric.kind,
        "history": metric.history,
        "params": [_field(name, field) for name, field in metric.params.model_fields.items()],
    }


def _field(name: str, field: FieldInfo, *, secret: bool = False) -> dict[str, Any]:
    required = field.is_required()
    default = None if required or field.default is PydanticUndefined else field.default
    return {
        "name": name,
        "type": _type(field.annotation),
        "required": required,
        "default": None if secret else default,
        "secret": secret,
        "description": field.description or "",
    }


TYPES = {
    "str": "text",
    "SecretStr": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true | false",
}


def _type(annotation: Any) -> str:  # noqa: ANN401 -- any type that a model may use
    choices = getattr(annotation, "__args__", None)
    if choices is None:
        return TYPES.get(getattr(annotation, "__name__", ""), str(annotation))
    if all(isinstance(choice, str) for choice in choices):
        return " | ".join(f'"{choice}"' for choice in choices)
    return " or ".join(_type(choice) for choice in choices if choice is not type(None))
