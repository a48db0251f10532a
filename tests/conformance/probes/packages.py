"""Installed packages: by their version."""

# ruff: noqa: E501 - a row of the table is one probe, however long

from __future__ import annotations

from tests.conformance.probe import Probe, work

INSTALL = """
from pathlib import Path
def install(version, code, name='fakelib', requires=''):
    site = Path('venv/lib/site-packages')
    for old in site.glob(f'{name}-*.dist-info'):
        __import__('shutil').rmtree(old)
    (site / name).mkdir(parents=True, exist_ok=True)
    (site / name / '__init__.py').write_text(code)
    info = site / f'{name}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n')
    (info / 'RECORD').write_text(f'{name}/__init__.py,,\\n')
"""
ONE, TWO = "'def f():\\n    return 1\\n'", "'def f():\\n    return 2\\n'"
PATH = "import sys\nsys.path.insert(0, 'venv/lib/site-packages')"


def upgraded(name, context, body, before="1.4.0", after="1.5.0", expect="rerun", **more):
    cells = ((f"{PATH}\n{context}",) if context is not None else (PATH,)) + (work(body),)
    code = ONE if expect == "restore" else TWO
    return Probe(
        f"packages/{name}",
        expect,
        cells,
        before=f"{INSTALL}\ninstall({before!r}, {ONE})",
        change=f"{INSTALL}\ninstall({after!r}, {code})",
        level="process",
        **more,
    )


PROBES = (
    upgraded("upgraded", "import fakelib", "result = fakelib.f()", sampled=True),
    upgraded("upgraded, function imported", "from fakelib import f", "result = f()"),
    upgraded("upgraded, used by a helper", "import fakelib\ndef g():\n    return fakelib.f()", "result = g()"),
    upgraded("upgraded, imported by the body", None, "import fakelib\nresult = fakelib.f()"),
    upgraded("upgraded, imported by a helper", "def g():\n    import fakelib\n    return fakelib.f()", "result = g()"),
    upgraded("upgraded, in a container", "import fakelib\ntable = {'f': fakelib.f}", "result = table['f']()"),
    upgraded("upgraded, in a partial", "from functools import partial\nfrom fakelib import f\np = partial(f)", "result = p()"),
    upgraded("upgraded, by importlib", "import importlib", "result = importlib.import_module('fakelib').f()"),
    upgraded("major version", "import fakelib", "result = fakelib.f()", after="2.0.0"),
    upgraded("downgraded", "import fakelib", "result = fakelib.f()", after="1.3.0"),
    upgraded("patch version", "import fakelib", "result = fakelib.f()", after="1.4.1", expect="restore"),
    upgraded("unrelated package", "import fakelib", "result = 1", expect="restore"),
    Probe("packages/patch version where versions count exactly", "rerun", (f"{PATH}\nimport fakelib", work("result = fakelib.f()")),
          files={"pyproject.toml": "[tool.nbsteps]\nenv = 'exact'\n"},
          before=f"{INSTALL}\ninstall('1.4.0', {ONE})", change=f"{INSTALL}\ninstall('1.4.1', {TWO})", level="process"),
    Probe("packages/used by a module", "rerun", (f"{PATH}\nimport util", work("result = util.g()")),
          files={"util.py": "import fakelib\ndef g():\n    return fakelib.f()\n"},
          before=f"{INSTALL}\ninstall('1.4.0', {ONE})", change=f"{INSTALL}\ninstall('1.5.0', {TWO})", level="process"),
    Probe("packages/editable install", "rerun", ("import sys\nsys.path.insert(0, 'src')\nimport mylib", work("result = mylib.f()")),
          files={"src/mylib/__init__.py": "from mylib.core import f\n", "src/mylib/core.py": "def f():\n    return 1\n"},
          changed={"src/mylib/core.py": "def f():\n    return 2\n"}, level="process",
          note="its files lie in the project, so they count by their source"),
    Probe("packages/class of a package as an input", "rerun",
          (f"{PATH}\nimport fakelib", "thing = fakelib.T()", work("result = thing.f()")),
          before=f"{INSTALL}\ninstall('1.4.0', 'class T:\\n    def f(self):\\n        return 1\\n')",
          change=f"{INSTALL}\ninstall('1.5.0', 'class T:\\n    def f(self):\\n        return 2\\n')", level="process"),
    Probe("packages/base class from a package", "rerun",
          (f"{PATH}\nimport fakelib\nclass C(fakelib.T):\n    pass", work("result = C().f()")),
          before=f"{INSTALL}\ninstall('1.4.0', 'class T:\\n    def f(self):\\n        return 1\\n')",
          change=f"{INSTALL}\ninstall('1.5.0', 'class T:\\n    def f(self):\\n        return 2\\n')", level="process"),
)  # fmt: skip
