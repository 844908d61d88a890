"""What no page shows, whoever looks: secrets, and what is made of secrets."""

import re
from typing import Any

SECRET = re.compile(r"hash|cipher|token|secret|passw|credential|api_?key|quota_key", re.IGNORECASE)
LEFT_OUT = "left out"


def secret(name: str) -> bool:
    """Whether a column or a field of this name holds a secret, or what is made of one."""
    return SECRET.search(name) is not None


def without_secrets(value: Any) -> Any:  # noqa: ANN401 -- whatever JSON holds
    """JSON as it is, but with a word in the place of each secret."""
    if isinstance(value, dict):
        return {
            name: LEFT_OUT if secret(str(name)) else without_secrets(held)
            for name, held in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(held) for held in value]
    return value
