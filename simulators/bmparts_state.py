"""What the simulated BM Parts holds, and how it does what its pages leave open.

A counterparty is a firm; several keys may belong to it.
"""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

SHIPMENT = "00003A4D"
INVOICE = "00003A4E"
_SPACE = uuid.UUID("9f0c1a2e-0000-4000-8000-00000000b3a7")


@dataclass(slots=True, kw_only=True)
class Document:
    """A document; `at` is what periods are about, in UTC seconds."""

    document_uuid: str
    type: str
    at: float
    carrier_number: str | None = None


@dataclass(slots=True, kw_only=True)
class Search:
    """An entry of the search history; `at` in UTC seconds."""

    at: float
    phrase: str
    is_vin: bool = False


@dataclass(slots=True, kw_only=True)
class Sale:
    """What was bought of a brand at an instant (UTC seconds)."""

    at: float
    brand: str
    sum: float


@dataclass(slots=True, kw_only=True)
class Counterparty:
    """A firm, and what it has done and has open. `debts` by day (YYYY-MM-DD)."""

    name: str
    uuid: str
    documents: list[Document] = field(default_factory=list)
    history: list[Search] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    reserves: dict[str, str] = field(default_factory=dict)
    carts: dict[str, str] = field(default_factory=dict)
    debts: dict[str, float] = field(default_factory=dict)


CartsCount = Literal["object", "number", "text", "nested"]


@dataclass(slots=True, kw_only=True)
class Switches:
    """What nobody says, to be had either way.

    `end_inclusive`: the end of a period is part of it. `zone`: of words and bare dates.
    `ignores_per_page`, `ignores_page`: paths of calls that do. `beyond`: what a page behind the
    last one holds. `lists`: as arrays, as objects by id, or bare. `names`: of lists, by path.
    `text_quantities`: numbers come as text with a decimal comma. `hides`: 404 where 403 is meant.
    `forbidden`: paths that the keys may not read. `unknown_key`: the status for one. `carts_count`:
    its shape.
    """

    end_inclusive: bool = True
    zone: str = "Europe/Kyiv"
    ignores_per_page: list[str] = field(default_factory=list)
    ignores_page: list[str] = field(default_factory=list)
    beyond: Literal["nothing", "last"] = "nothing"
    lists: Literal["arrays", "objects", "bare"] = "arrays"
    names: dict[str, str] = field(default_factory=dict)
    text_quantities: bool = True
    hides: bool = False
    forbidden: list[str] = field(default_factory=list)
    unknown_key: int = 401
    carts_count: CartsCount = "object"

    def change(self, asked: dict[str, Any]) -> None:
        """Set some of them by name. ValueError for a name that is none."""
        if unknown := sorted(asked.keys() - {item.name for item in fields(self)}):
            raise ValueError(f"unknown {unknown}")
        for name, value in asked.items():
            setattr(self, name, value)


class BmpartsState:
    """All of it, safe to use from any thread. `harm`: what was ordered, shipped, claimed or sent
    off by a call, as `METHOD path`, oldest first.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.switches = Switches()
        self.keys: dict[str, str] = {}
        self.counterparties: dict[str, Counterparty] = {}
        self.types: dict[str, str] = {
            SHIPMENT: "Видаткова накладна",
            INVOICE: "Рахунок",
        }
        self.harm: list[str] = []
        self._made = 0

    def add_key(self, key: str, counterparty: str = "Garage") -> Counterparty:
        """A key of this firm, which is made when it is new."""
        with self.lock:
            self.keys[key] = counterparty
            made = Counterparty(name=counterparty, uuid=self._uuid())
            return self.counterparties.setdefault(counterparty, made)

    def firm(self, name: str = "Garage") -> Counterparty:
        """The firm of that name. KeyError if there is none."""
        return self.counterparties[name]

    def add_documents(
        self,
        *instants: float,
        kind: str = SHIPMENT,
        firm: str = "Garage",
    ) -> list[Document]:
        """One document for each of these instants (UTC seconds)."""
        with self.lock:
            made = [Document(document_uuid=self._uuid(), type=kind, at=at) for at in instants]
            self.firm(firm).documents += made
            return made

    def add_searches(self, *instants: float, phrase: str = "", firm: str = "Garage") -> None:
        """One search for each of these instants (UTC seconds)."""
        with self.lock:
            for at in instants:
                self._made += 1
                self.firm(firm).history.append(Search(at=at, phrase=phrase or f"W {self._made}"))

    def add_sale(self, at: float, brand: str, total: float, firm: str = "Garage") -> None:
        """Something was bought."""
        with self.lock:
            self.firm(firm).sales.append(Sale(at=at, brand=brand, sum=total))

    def open(self, what: Literal["reserves", "carts"], count: int, firm: str = "Garage") -> None:
        """The firm has so many reserves or carts open now."""
        with self.lock:
            setattr(self.firm(firm), what, {self._uuid(): f"{what} {n}" for n in range(count)})

    def _uuid(self) -> str:
        self._made += 1
        return str(uuid.uuid5(_SPACE, str(self._made)))
