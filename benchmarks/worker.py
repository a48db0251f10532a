"""Calls one function in a process of its own: ``python -m benchmarks.worker module:function '{"argument": 1}'``."""

from __future__ import annotations

import json
import sys
from importlib import import_module

from benchmarks.measure import answer

if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    answer(getattr(import_module(module), function)(**json.loads(sys.argv[2])))
