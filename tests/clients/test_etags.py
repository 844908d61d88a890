"""Kept answers."""

from clients.etags import MemoryEtagCache


def test_keeps_the_newest():
    """A full cache drops what was used longest ago."""
    cache = MemoryEtagCache(size=2)
    cache.put("a", '"1"', [1])
    cache.put("b", '"2"', [2])
    assert cache.get("a") == ('"1"', [1])
    cache.put("c", '"3"', [3])
    assert cache.get("b") is None
    assert cache.get("a") == ('"1"', [1])


def test_replaces():
    """A URL has one value: the last that was put."""
    cache = MemoryEtagCache(size=2)
    cache.put("a", '"1"', [1])
    cache.put("a", '"2"', [2])
    assert cache.get("a") == ('"2"', [2])
