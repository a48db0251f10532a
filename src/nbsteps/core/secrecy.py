"""Values that nobody is to read: they are known by their names."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MASKED: Final = "***"
"""What is shown for a secret."""
_TELLING: Final = re.compile(
    r"passw|passphrase|passcode|secret(?!ar)|credential|authori[sz]ation|(api|access|private|signing)_?key"
    r"|token(?!s|i)|(?<![^\W_])(pass|pwd|pin|auth)(?![^\W_])",
    re.IGNORECASE,
)
"""Within a name; short words only between underscores: ``author`` and ``max_tokens`` are no secrets."""


@lru_cache(1024)
def is_secret(name: str) -> bool:
    """Whether what goes by that name is not to be shown: a password, a token."""
    return _TELLING.search(name) is not None
