"""A small believable firm at BM Parts for the demo: documents of the last days, and open carts."""

from typing import Final

from simulators.bmparts import Bmparts
from simulators.bmparts_answers import stamp
from simulators.bmparts_state import INVOICE, SHIPMENT

FIRM: Final = "Garage of Alice"
KEY: Final = "demo-bmparts-key-of-alice"
_DAY = 86400.0
_SHIPMENTS = (8.3, 5.2, 4.6, 3.1, 1.4, 1.2, 0.2)  # days ago, as all that follow
_INVOICES = (8.1, 4.4, 1.1)
_SEARCHES = (
    (5.3, "oil filter"),
    (3.2, "W 712/94"),
    (1.5, "brake pads"),
    (1.3, "brake discs"),
    (0.3, "wiper blades"),
)
_SALES = ((5.2, "Mann", 412.5), (3.1, "Mann", 96.0), (1.4, "Bosch", 1280.75), (0.2, "Bosch", 340.0))
_RESERVES, _CARTS = 3, 2


def fill(bmparts: Bmparts) -> None:
    """Puts the firm into an empty simulator."""
    state = bmparts.state
    now = state.clock()
    firm = state.add_key(KEY, FIRM)
    firm.debts[stamp(now + 10 * _DAY)[:10]] = 1280.75
    for kind, ages in ((SHIPMENT, _SHIPMENTS), (INVOICE, _INVOICES)):
        state.add_documents(*(now - days * _DAY for days in ages), kind=kind, firm=FIRM)
    for days, phrase in _SEARCHES:
        state.add_searches(now - days * _DAY, phrase=phrase, firm=FIRM)
    for days, brand, total in _SALES:
        state.add_sale(now - days * _DAY, brand, total, firm=FIRM)
    state.open("reserves", _RESERVES, firm=FIRM)
    state.open("carts", _CARTS, firm=FIRM)
