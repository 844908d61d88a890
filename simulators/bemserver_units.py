"""A handful of unit symbols, enough to convert like the real BEMServer does."""

from dataclasses import dataclass

_ENERGY = "[mass] * [length] ** 2 / [time] ** 2"
_POWER = "[mass] * [length] ** 2 / [time] ** 3"


@dataclass(frozen=True, slots=True)
class Unit:
    """value in base units = value * factor + offset."""

    name: str
    dimension: str
    factor: float = 1.0
    offset: float = 0.0


_CELSIUS = Unit("degree_Celsius", "[temperature]", 1.0, 273.15)
_FAHRENHEIT = Unit("degree_Fahrenheit", "[temperature]", 5 / 9, 233.15 + 200 / 9)
_CUBIC_METRE = Unit("meter ** 3", "[length] ** 3")
UNITS = {
    "Wh": Unit("watt_hour", _ENERGY, 3600.0),
    "kWh": Unit("kilowatt_hour", _ENERGY, 3_600_000.0),
    "MWh": Unit("megawatt_hour", _ENERGY, 3_600_000_000.0),
    "J": Unit("joule", _ENERGY),
    "MJ": Unit("megajoule", _ENERGY, 1_000_000.0),
    "W": Unit("watt", _POWER),
    "kW": Unit("kilowatt", _POWER, 1000.0),
    "°C": _CELSIUS,
    "degC": _CELSIUS,
    "°F": _FAHRENHEIT,
    "degF": _FAHRENHEIT,
    "K": Unit("kelvin", "[temperature]"),
    "m": Unit("meter", "[length]"),
    "m³": _CUBIC_METRE,
    "m^3": _CUBIC_METRE,
    "l": Unit("liter", "[length] ** 3", 0.001),
    "h": Unit("hour", "[time]", 3600.0),
    "s": Unit("second", "[time]"),
    "kg": Unit("kilogram", "[mass]"),
    "%": Unit("percent", "dimensionless", 0.01),
    "ppm": Unit("ppm", "dimensionless", 1e-6),
    "": Unit("dimensionless", "dimensionless"),
    "count": Unit("count", "dimensionless"),
}


class DimensionError(Exception):
    """The two units measure different things; the message is the real server's."""


def check(symbol_from: str, symbol_to: str) -> None:
    """DimensionError unless one can become the other."""
    source, target = UNITS[symbol_from], UNITS[symbol_to]
    if source.dimension != target.dimension:
        raise DimensionError(
            f"Cannot convert from '{source.name}' ({source.dimension})"
            f" to '{target.name}' ({target.dimension})"
        )


def convert(value: float, symbol_from: str, symbol_to: str) -> float:
    """The value in the other unit; the order of the operations gives the real one's digits."""
    source, target = UNITS[symbol_from], UNITS[symbol_to]
    if source == target:
        return value
    if source.offset or target.offset:
        return (value * source.factor + source.offset - target.offset) / target.factor
    return value * (source.factor * (1 / target.factor))
