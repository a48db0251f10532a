"""Modules of the project: by whatever road they are reached, an edit must be seen."""

# ruff: noqa: E501 - a row of the table is one probe, however long

from __future__ import annotations

from tests.conformance.probe import Probe, text, work

ONE, TWO = "def f():\n    return 1\n", "def f():\n    return 2\n"


def edited(name, files, context, body, **more):
    """One file of the project is edited: what says ``1`` in A says ``2`` in B."""
    files = {"util.py": ONE} if files is None else files
    changed = {at: content.replace("return 1", "return 2") for at, content in files.items() if "return 1" in content}
    cells = ((text(context),) if context else ()) + (work(body),)
    return Probe(f"modules/{name}", "rerun", cells, files=files, changed=changed, **more)


PROBES = (
    edited("attribute", None, "import util", "result = util.f()", level="process", sampled=True),
    edited("from import", None, "from util import f", "result = f()", level="process"),
    edited("from import as", None, "from util import f as g", "result = g()"),
    edited("import as", None, "import util as u", "result = u.f()"),
    edited("star import", None, "from util import *", "result = f()"),
    edited("imported inside the body", None, "", "import util\nresult = util.f()", level="process"),
    edited("from import inside the body", None, "", "from util import f\nresult = f()"),
    edited("imported inside a helper", None, "def h():\n    import util\n    return util.f()", "result = h()"),
    edited("importlib in the body", None, "import importlib", "result = importlib.import_module('util').f()"),
    edited("importlib in a helper", None, "import importlib\ndef h(name):\n    return importlib.import_module(name).f()", "result = h('util')"),
    edited("__import__ in the body", None, "", "result = __import__('util').f()"),
    edited("nested package", {"pkg/__init__.py": "", "pkg/sub/__init__.py": "", "pkg/sub/deep.py": ONE}, "from pkg.sub import deep", "result = deep.f()"),
    edited("dotted access", {"pkg/__init__.py": "", "pkg/deep.py": ONE}, "import pkg.deep", "result = pkg.deep.f()"),
    edited("relative import", {"pkg/__init__.py": "", "pkg/a.py": "from .b import f\n", "pkg/b.py": ONE}, "from pkg.a import f", "result = f()"),
    edited("relative module import", {"pkg/__init__.py": "", "pkg/a.py": "from . import b\ndef g():\n    return b.f()\n", "pkg/b.py": ONE}, "from pkg import a", "result = a.g()"),
    edited("parent's __init__", {"pkg/__init__.py": ONE, "pkg/a.py": "from pkg import f\n"}, "import pkg.a", "result = pkg.a.f()"),
    edited("exported by __init__", {"pkg/__init__.py": "from pkg.a import f\n", "pkg/a.py": ONE}, "import pkg", "result = pkg.f()"),
    edited("lazy export by __getattr__", {"pkg/__init__.py": "def __getattr__(name):\n    import importlib\n    if name != 'f':\n        raise AttributeError(name)\n    return importlib.import_module('pkg.a').f\n", "pkg/a.py": ONE}, "import pkg", "result = pkg.f()"),
    edited("module of a module", {"a.py": "import b\ndef g():\n    return b.f()\n", "b.py": ONE}, "import a", "result = a.g()", level="process"),
    edited("imported late by a module", {"a.py": "def g():\n    import b\n    return b.f()\n", "b.py": ONE}, "import a", "result = a.g()"),
    edited("three modules deep", {"a.py": "from b import f\n", "b.py": "from c import f\n", "c.py": ONE}, "from a import f", "result = f()"),
    edited("imports in a circle", {"a.py": "import b\ndef g():\n    return b.f()\n", "b.py": "import a\n" + ONE}, "import a", "result = a.g()"),
    edited("namespace package", {"space/part.py": ONE}, "import space.part", "result = space.part.f()"),
    Probe("modules/constant of a module", "rerun", ("import util", work("result = util.N[0]")), files={"util.py": "N = [1]\n"}, changed={"util.py": "N = [2]\n"}),
    edited("class of a module", {"util.py": "class C:\n    def f(self):\n        return 1\n"}, "from util import C", "result = C().f()"),
    edited("base class in a module", {"util.py": "class B:\n    def f(self):\n        return 1\n"}, "from util import B\nclass C(B):\n    pass", "result = C().f()"),
    edited("decorator in a module", {"util.py": "def deco(f):\n    def w():\n        f()\n        return 1\n    return w\n"}, "from util import deco\n@deco\ndef g():\n    return 5", "result = g()"),
    edited("factory in a module", {"util.py": "def make():\n    def g():\n        return 1\n    return g\n"}, "from util import make\ng = make()", "result = g()"),
    edited("instance made by a module", {"util.py": "class C:\n    def f(self):\n        return 1\nc = C()\n"}, "from util import c", "result = c.f()"),
    edited("function of a module in a container", None, "import util\ntable = {'f': util.f}", "result = table['f']()"),
    edited("module in a container", None, "import util\ntable = {'util': util}", "result = table['util'].f()"),
    edited("partial of a function of a module", None, "import util\nfrom functools import partial\np = partial(util.f)", "result = p()"),
    edited("getattr of a module", None, "import util", "result = getattr(util, 'f')()"),
    edited("module by sys.modules", None, "import util, sys", "result = sys.modules['util'].f()"),
    edited("folder on sys.path", {"lib/util.py": ONE}, "import sys\nsys.path.insert(0, 'lib')\nimport util", "result = util.f()"),
    edited("executed file", {"setup.py": ONE}, "exec(open('setup.py').read())", "result = f()"),
    edited("%run", {"setup.py": ONE}, "%run setup.py", "result = f()"),
    edited("%run in the body", {"setup.py": ONE}, "", "%run setup.py\nresult = f()"),
    edited("runpy in the body", {"setup.py": ONE}, "import runpy", "result = runpy.run_path('setup.py')['f']()"),
    edited("exec of a file in the body", {"setup.py": ONE}, "", "_box = {}\nexec(open('setup.py').read(), _box)\nresult = _box['f']()"),
    edited("computed name", None, "import importlib", "result = importlib.import_module('ut' + 'il').f()"),
    edited("computed name of a loaded module", None, "import importlib, util", "result = importlib.import_module('ut' + 'il').f()"),
    edited("computed name, function imported", None, "from importlib import import_module\nparts = ['ut', 'il']", "result = import_module(''.join(parts)).f()", level="process"),
    edited("plug-ins of a package", {"plug/__init__.py": "", "plug/a.py": ONE}, "import pkgutil, importlib", "import plug\nresult = [importlib.import_module('plug.' + m.name).f() for m in pkgutil.iter_modules(plug.__path__)]"),
    edited("class of a pickle", {"util.py": "class C:\n    def f(self):\n        return 1\n"}, "import pickle, util\nblob = pickle.dumps(util.C())\ndel util", "result = pickle.loads(blob).f()"),
    edited("module of a script in a child process", {"tool.py": "import util\nprint(util.f())\n", "util.py": ONE}, "import subprocess, sys", "result = subprocess.run([sys.executable, 'tool.py'], capture_output=True, text=True).stdout"),
    edited("module as a child process", {"tool.py": "from util import f\nprint(f())\n", "util.py": ONE}, "import subprocess, sys", "result = subprocess.run([sys.executable, '-m', 'tool'], capture_output=True, text=True).stdout"),
    edited("program of a child process", None, "import subprocess, sys", "result = subprocess.run([sys.executable, '-c', 'import util; print(util.f())'], capture_output=True, text=True).stdout"),
    Probe("modules/script in a child process", "rerun", ("import subprocess, sys", work("result = subprocess.run([sys.executable, 'tool.py'], capture_output=True, text=True).stdout")), files={"tool.py": "print(1)\n"}, changed={"tool.py": "print(2)\n"}),
    edited("zip archive", {}, "import sys\nsys.path.insert(0, 'lib.zip')\nimport util", "result = util.f()", before="import zipfile\nwith zipfile.ZipFile('lib.zip', 'w') as z:\n    z.writestr('util.py', 'def f():\\n    return 1\\n')", change="import zipfile\nwith zipfile.ZipFile('lib.zip', 'w') as z:\n    z.writestr('util.py', 'def f():\\n    return 2\\n')", level="process", uncacheable="a module in an archive has no source file"),
    edited("same size and time", None, "import util", "result = util.f()", level="process", change="import os\nos.utime('util.py', ns=(1, 1))", before="import os\nos.utime('util.py', ns=(1, 1))", environment={"PYTHONDONTWRITEBYTECODE": "1"}),
    Probe("modules/reloaded", "rerun", ("import util", work("result = util.f()")), files={"util.py": ONE}, changed={"util.py": TWO}, live=True,
          again=("import importlib\nimportlib.reload(util)", work("result = util.f()")), sampled=True),
    Probe("modules/edited after import", "rerun", ("import util", work("result = util.f()")), files={"util.py": ONE}, changed={"util.py": TWO}, live=True,
          again=(work("result = util.f()"),), differs=False, note="runs the old code still in memory, and must not be kept under the new source"),
    Probe("modules/monkeypatched", "rerun", ("import util", work("result = util.f()")), files={"util.py": ONE}, live=True, again=("util.f = lambda: 2", work("result = util.f()"))),
    Probe("modules/attribute set", "rerun", ("import util", work("result = util.g()")), files={"util.py": "N = 1\ndef g():\n    return N\n"}, live=True, again=("util.N = 2", work("result = util.g()"))),
    Probe("modules/monkeypatched below", "rerun", ("import a, b", work("result = a.g()")), files={"a.py": "import b\ndef g():\n    return b.f()\n", "b.py": ONE}, live=True, again=("b.f = lambda: 2", work("result = a.g()"))),
    Probe("modules/state mutated", "rerun", ("import util", work("result = util.g()")), files={"util.py": "BOX = {'n': [1]}\ndef g():\n    return list(BOX['n'])\n"}, live=True, again=("util.BOX['n'].append(2)", work("result = util.g()"))),
    Probe("modules/configured by a cell", "rerun", ("import util\nutil.configure(1)", work("result = util.g()")), files={"util.py": "N = 0\ndef configure(n):\n    global N\n    N = n\ndef g():\n    return N\n"}, edits={"configure(1)": "configure(2)"}),
    Probe("modules/shadows an installed name", "rerun", ("import colorsys", work("result = colorsys.rgb_to_yiq(1, 1, 1)")), changed={"colorsys.py": "def rgb_to_yiq(r, g, b):\n    return 0\n"}, level="process"),
    Probe("modules/appears", "rerun", ("try:\n    import extra\nexcept ImportError:\n    extra = None", work("result = extra and extra.f()")), changed={"extra.py": ONE}),
    Probe("modules/appears for the body", "rerun", (work("try:\n    import extra\n    result = extra.f()\nexcept ImportError:\n    result = 0"),), changed={"extra.py": ONE}),
    Probe("modules/another of the same name", "rerun", ("import sys\nsys.path.insert(0, 'one')\nimport util", work("result = util.f()")), files={"one/util.py": ONE, "two/util.py": TWO}, edits={"'one'": "'two'"}),
    Probe("modules/unrelated module", "restore", ("import util, other", work("result = util.f()")), files={"util.py": ONE, "other.py": ONE}, changed={"other.py": TWO}),
    Probe("modules/comment in a module", "restore", ("import util", work("result = util.f()")), files={"util.py": ONE}, changed={"util.py": '"""Doc."""\n\n# why\n' + ONE}, level="process"),
    Probe("modules/touched", "restore", ("import util", work("result = util.f()")), files={"util.py": ONE}, change="import os\nos.utime('util.py')", level="process"),
    Probe("modules/comment in a module by a computed name", "restore", ("import importlib", work("result = importlib.import_module('ut' + 'il').f()")), files={"util.py": ONE}, changed={"util.py": '"""Doc."""\n' + ONE}),
    Probe("modules/unused function of a module", "restore", ("import util", work("result = util.f()")), files={"util.py": ONE + "def g():\n    return 1\n"}, changed={"util.py": ONE + "def g():\n    return 2\n"},
          excused="a module counts as a whole"),
    Probe("modules/reloaded unchanged", "restore", ("import util", work("result = util.f()")), files={"util.py": ONE}, live=True, again=("import importlib\nimportlib.reload(util)", work("result = util.f()"))),
)  # fmt: skip
