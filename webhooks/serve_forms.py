"""Forms and what is filled into them, for the receiver: what `tasks` know, in its words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlmodel import Session

from db.models import Source, User
from db.vault import Vault
from tasks import declare_forms, forms, forms_made
from tasks.declare_forms import Saved
from tasks.declare_sources import Addresses
from tasks.providers import Provider
from webhooks.services import Checked, Field, MetricForm, ProviderForm, SourceSaved


class FormServices:
    """What pages fill in, by the rules of `waggle apply`.

    `operators` and `others` say which addresses each of them may type.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        vault: Vault,
        *,
        operators: Addresses,
        others: Addresses,
    ) -> None:
        self._providers = providers
        self._vault = vault
        self._addresses = {True: operators, False: others}
        self._forms = tuple(_form(provider) for provider in providers.values())

    def providers(self) -> Sequence[ProviderForm]:
        """Every kind of source, with its forms."""
        return self._forms

    def check_params(self, provider: str, metric: str, given: Mapping[str, str]) -> Checked:
        """The parameters of a metric as a form gave them."""
        values, mistakes = forms.params(self._providers[provider].metrics[metric], given)
        return Checked(values=values, mistakes=mistakes)

    def check_feed(self, given: Mapping[str, str], *, now: float) -> Checked:
        """What a form says of a feed beside source, metric and parameters."""
        values, mistakes = forms.feed(given, now=now)
        return Checked(values=values, mistakes=mistakes)

    def save_source(
        self,
        session: Session,
        given: Mapping[str, str],
        *,
        provider: str,
        owner: User,
        name: str,
        row: Source | None,
        by_operator: bool,
        now: float,
    ) -> SourceSaved:
        """Store a new source or change one, or say what is wrong."""
        found = declare_forms.save(
            session,
            self._vault,
            self._providers[provider],
            given,
            owner=owner,
            name=name,
            row=row,
            addresses=self._addresses[by_operator],
            by_operator=by_operator,
            now=now,
        )
        if isinstance(found, Saved):
            return SourceSaved(
                source_id=found.source_id, details=found.details, by_browser=found.by_browser
            )
        return SourceSaved(mistakes=found)


def _form(provider: Provider) -> ProviderForm:
    made = forms_made.of_provider(provider)
    return ProviderForm(
        name=made.name,
        title=made.title,
        about=made.about,
        fields=_fields(made.fields),
        metrics=tuple(
            MetricForm(
                name=metric.name,
                description=metric.description,
                kind=metric.kind,
                fields=_fields(metric.fields),
            )
            for metric in made.metrics
        ),
        browser=made.browser,
    )


def _fields(found: Sequence[forms_made.Field]) -> tuple[Field, ...]:
    return tuple(Field(**asdict(each)) for each in found)
