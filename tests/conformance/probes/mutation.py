"""Changes in place: a body that changes its input fails, and a value changed between cells is another value."""

# ruff: noqa: E501 - a row of the table is one probe, however long

from __future__ import annotations

from tests.conformance.probe import Probe, step, text, work

PD, NP = "import pandas as pd", "import numpy as np"


def harmed(name, make, body, context=""):
    """The body changes its input in place: an error, and nothing is kept."""
    cells = (context or "# nothing to import", step("raw", f"raw = {make}"), work("result = repr(raw)", "raw"))
    changed = (*cells[:2], work(f"{body}\nresult = repr(raw)", "raw"))
    return Probe(f"mutation/by the body: {name}", "error", cells, again=changed)


def between(name, context, change, body, **more):
    """A cell changes in place what the body reads."""
    cells = (*map(text, (context,) if isinstance(context, str) else context), work(body))
    return Probe(f"mutation/between cells: {name}", "rerun", cells, again=(text(change), cells[-1]), live=True, **more)


FRAME = "pd.DataFrame({'a': [3, 1], 'b': [[1], [2]]})"
PROBES = (
    harmed("append to a list", "[1]", "raw.append(2)"),
    harmed("item of a dict", "{'a': 1}", "raw['a'] = 2"),
    harmed("order of a dict", "{'a': 1, 'b': 2}", "raw['a'] = raw.pop('a')"),
    harmed("five levels down", "{'a': [{'b': ({'c': [1]},)}]}", "raw['a'][0]['b'][0]['c'].append(2)"),
    harmed("member of a set", "{1}", "raw.add(2)"),
    harmed("sorted in place", "[2, 1]", "raw.sort()"),
    harmed("in a helper", "[1]", "spoil(raw)", "def spoil(x):\n    x.append(2)"),
    harmed("in a thread", "[1]", "import threading\nt = threading.Thread(target=raw.append, args=(2,))\nt.start()\nt.join()"),
    harmed("through an alias", "[[1]]", "alias = raw[0]\nalias.append(2)"),
    harmed("through another name", "[1]", "kept = raw\ncopied = list(raw)\nkept.append(2)"),
    harmed("attribute", "N(a=1)", "raw.a = 2", "from types import SimpleNamespace as N"),
    harmed("attribute of an instance in a list", "[C()]", "raw[0].n = 2", "class C:\n    def __init__(self):\n        self.n = 1"),
    harmed("slot", "C()", "raw.n = 2", "class C:\n    __slots__ = ('n',)\n    def __init__(self):\n        self.n = 1\n    def __repr__(self):\n        return str(self.n)"),
    harmed("array", "np.arange(3)", "raw[0] = 9", NP),
    harmed("array through a view", "np.arange(6)", "view = raw.reshape(2, 3)[1]\nview += 1", NP),
    harmed("array through a buffer", "np.arange(3)", "memoryview(raw)[0] = 9", NP),
    harmed("array by out=", "np.arange(3)", "np.add(raw, 1, out=raw)", NP),
    harmed("array shuffled", "np.arange(9)", "np.random.default_rng(1).shuffle(raw)", NP),
    harmed("shape of an array", "np.arange(6)", "raw.resize((2, 3))", NP),
    harmed("array in a dict", "{'a': [np.arange(3)]}", "raw['a'][0][1] = 7", NP),
    harmed("cell of a frame", FRAME, "raw.loc[0, 'a'] = 9", PD),
    harmed("new column", FRAME, "raw['c'] = 1", PD),
    harmed("renamed columns", FRAME, "raw.columns = ['x', 'y']", PD),
    harmed("index of a frame", FRAME, "raw.index = [5, 6]", PD),
    harmed("name of an index", FRAME, "raw.index.name = 'i'", PD),
    harmed("sorted frame", FRAME, "raw.sort_values('a', inplace=True)", PD),
    harmed("dropped column", FRAME, "raw.drop(columns='a', inplace=True)", PD),
    harmed("attrs of a frame", FRAME, "raw.attrs['unit'] = 'm'", PD),
    harmed("list inside a frame", FRAME, "raw.loc[0, 'b'].append(5)", PD),
    harmed("values behind a frame", "pd.DataFrame({'a': [1.0, 2.0]})", "v = raw['a'].to_numpy()\nv.flags.writeable = True\nv[0] = 9", PD),
    harmed("name of a series", "pd.Series([1], name='a')", "raw.name = 'b'", PD),
    harmed("array behind Arrow", "pa.array(np.arange(3))", "np.frombuffer(raw.buffers()[1], 'i8').flags\nnp.asarray(raw.buffers()[1]).view('u1').flags\nimport ctypes\nctypes.memset(raw.buffers()[1].address, 1, 1)", "import numpy as np, pyarrow as pa"),
    harmed("default of an input's method", "C()", "raw.items.append(1)", "class C:\n    def __init__(self):\n        self.items = []\n    def __repr__(self):\n        return str(self.items)"),
    between("constant", "CONFIG = {'a': [1]}", "CONFIG['a'].append(2)", "result = CONFIG['a'][:]"),
    between("constant of a helper", "CONFIG = {'a': [1]}\ndef f():\n    return list(CONFIG['a'])", "CONFIG['a'].append(2)", "result = f()", sampled=True),
    between("through an alias", "INNER = [1]\nCONFIG = {'a': INNER}", "INNER.append(2)", "result = CONFIG['a'][:]"),
    between("frame", ("import pandas as pd", "frame = pd.DataFrame({'a': [1]})"), "frame['b'] = 2", "result = frame.copy()"),
    between("array through a view", ("import numpy as np", "data = np.zeros(4)\nview = data[1:]"), "view[0] = 5", "result = data.copy()"),
    between("attribute", "class C:\n    pass\nc = C()\nc.n = 1", "c.n = 2", "result = c.n"),
    between("class attribute", "class C:\n    items = [1]", "C.items.append(2)", "result = list(C.items)"),
    between("default of a function", "def f(x=[1]):\n    return list(x)", "f.__defaults__[0].append(2)", "result = f()"),
    between("closure", "def make():\n    items = [1]\n    return items.append, lambda: list(items)\nadd, get = make()", "add(2)", "result = get()"),
    between("registry", "table = {}\ndef register(f):\n    table[f.__name__] = f\n    return f", "@register\ndef g():\n    return 1", "result = sorted(table)"),
    between("partial", "from functools import partial\np = partial(list, [1])", "p.args[0].append(2)", "result = p()"),
    between("random generator moved on", "import random\nrng = random.Random(1)", "rng.random()", "result = rng.getstate()[1][-1]"),
    between("random generator of numpy moved on", "import numpy as np\nrng = np.random.default_rng(1)", "rng.random()", "result = str(rng.bit_generator.state['state']['state'])"),
    between("generator drawn from by the body", "import numpy as np\nrng = np.random.default_rng(1)", "rng = np.random.default_rng(2)", "result = rng.random()"),
    Probe("mutation/step output changed by a cell", "rerun", (step("raw", "raw = [1]"), work("result = raw[:]", "raw")), live=True, again=("raw.append(2)", work("result = raw[:]", "raw")), sampled=True),
    Probe("mutation/step output changed through an alias", "rerun", (step("raw", "raw = [[1]]"), "inner = raw[0]", work("result = [list(x) for x in raw]", "raw")), live=True, again=("inner.append(2)", work("result = [list(x) for x in raw]", "raw"))),
    Probe("mutation/step output rebound by a cell", "rerun", (step("raw", "raw = [1]"), work("result = raw[:]", "raw")), live=True, again=("raw = [5]", work("result = raw[:]", "raw"))),
    Probe("mutation/frame of a step changed by a cell", "rerun", ("import pandas as pd", step("raw", "raw = pd.DataFrame({'a': [1]})"), work("result = raw.copy()", "raw")), live=True, again=("raw.loc[0, 'a'] = 5", work("result = raw.copy()", "raw"))),
    Probe("mutation/array of a step changed through a view", "rerun", ("import numpy as np", step("raw", "raw = np.zeros(4)"), "view = raw[2:]", work("result = raw.copy()", "raw")), live=True, again=("view[:] = 7", work("result = raw.copy()", "raw"))),
    Probe("mutation/declared", "rerun", (step("raw", "raw = [1]"), work("raw.append(2)\nresult = raw[:]", "raw", options="--mutates raw")), edits={"append(2)": "append(3)"}, note="--mutates makes the input an output too"),
    Probe("mutation/copy changed", "restore", (step("raw", "raw = [[1]]"), work("import copy\nmine = copy.deepcopy(raw)\nmine[0].append(2)\nresult = mine", "raw"))),
    Probe("mutation/another name rebound", "restore", (step("raw", "raw = [1]"), work("mine = raw\nmine = mine + [2]\nresult = mine", "raw"))),
    Probe("mutation/changed and put back", "restore", (step("raw", "raw = [1]"), work("raw.append(2)\nresult = raw[:]\nraw.pop()", "raw"))),
    Probe("mutation/changed and put back between cells", "restore", ("CONFIG = [1]", work("result = CONFIG[:]")), live=True, again=("CONFIG.append(2)\nCONFIG.pop()", work("result = CONFIG[:]"))),
    Probe("mutation/lazily filled cache", "restore", (step("raw", "import pandas as pd\nraw = pd.DataFrame({'a': [3, 1]})"), work("raw.index.is_unique, raw.a\nresult = raw.a.rank().tolist()", "raw"))),
    Probe("mutation/helper that fills its cache", "restore", ("from functools import lru_cache\n@lru_cache\ndef f(x):\n    return x + 1", work("result = f(1)")), live=True, again=("f(2)", work("result = f(1)"))),
    Probe("mutation/helper that counts its calls", "restore", ("CALLS = []\ndef f(x):\n    return x + 1", work("CALLS.append(1)\nresult = f(1)", options="--ignore CALLS"))),
)  # fmt: skip
