"""Values that nobody is to read: they are known by their names."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MASKED: Final = "***"
"""What is shown for a secret."""
_TELLING: Final = re.compile(r"pass|secret|token|credential|api_?key|auth", re.IGNORECASE)


@lru_cache(1024)
def is_secret(name: str) -> bool:
    """Whether what goes by that name is not to be shown: a password, a token."""
    return _TELLING.search(name) is not None
