"""What surrounds a process: variables, working directory, locale, settings of libraries, random state, parameters."""

# ruff: noqa: E501 - a row of the table is one probe, however long

from __future__ import annotations

from tests.conformance.probe import Probe, text, work

VARIABLE = {"environment": {"PROBE": "1"}, "changed_environment": {"PROBE": "2"}}
OS = "import os"


def variable(name, context, body, **more):
    """The variable PROBE changes."""
    cells = (*((text(context),) if context else ()), work(body, options=more.pop("options", "")))
    return Probe(f"environment/{name}", "rerun", cells, **{**VARIABLE, **more})


def setting(name, context, body, old, new, **more):
    """A cell sets something for the whole process, and the body depends on it."""
    return Probe(f"environment/{name}", "rerun", (text(context), work(body)), edits={old: new}, **more)


PROBES = (
    variable("os.environ[]", OS, "result = os.environ['PROBE']", sampled=True),
    variable("os.environ.get", OS, "result = os.environ.get('PROBE')"),
    variable("os.getenv", OS, "result = os.getenv('PROBE')"),
    variable("from os import environ", "from os import environ", "result = environ['PROBE']"),
    variable("from os import getenv", "from os import getenv", "result = getenv('PROBE')"),
    variable("os.environb", OS, "result = os.environb[b'PROBE']"),
    variable("in os.environ", OS, "result = 'PROBE' in os.environ", changed_environment={}),
    variable("copied", OS, "result = dict(os.environ).get('PROBE')"),
    variable("Template", "import os, string", "result = string.Template('$PROBE').substitute(os.environ)"),
    variable("ChainMap", "import os, collections", "result = collections.ChainMap({}, os.environ)['PROBE']"),
    variable("ChainMap of a cell", "import os, collections\nsettings = collections.ChainMap({}, os.environ)", "result = settings['PROBE']"),
    variable("UserDict", "import os, collections", "result = collections.UserDict(os.environ)['PROBE']"),
    variable("configparser", "import os, configparser", "parser = configparser.ConfigParser(os.environ, interpolation=None)\nresult = parser['DEFAULT']['PROBE']"),
    variable("itemgetter", "import os, operator", "result = operator.itemgetter('PROBE')(os.environ)"),
    variable("format_map", OS, "result = '{PROBE}'.format_map(os.environ)"),
    variable("union", OS, "result = (os.environ | {})['PROBE']"),
    variable("bound method of a cell", "import os\nget = os.environ.get", "result = get('PROBE')"),
    variable("partial of a cell", "import os, functools\nget = functools.partial(os.getenv, 'PROBE')", "result = get()"),
    variable("%env", "", "result = %env PROBE"),
    variable("looped over", OS, "result = [v for k, v in os.environ.items() if k == 'PROBE']"),
    variable("expandvars", OS, "result = os.path.expandvars('$PROBE/x')"),
    variable("inside a helper", "import os\ndef f():\n    return os.environ['PROBE']", "result = f()"),
    variable("in a shell line", "", "result = !echo $$PROBE\nresult = list(result)"),
    variable("in a child process", "import subprocess", "result = subprocess.run('echo $PROBE', shell=True, capture_output=True, text=True).stdout"),
    variable("in a bash cell", "", "%%bash --out result\necho $PROBE", options="--out result"),
    variable("in a forked worker", "import os\nfrom concurrent.futures import ProcessPoolExecutor\ndef f(_):\n    return os.environ['PROBE']", "with ProcessPoolExecutor(1) as pool:\n    result = list(pool.map(f, [0]))", level="process"),
    variable("declared", "", "result = 1", options="--env PROBE", differs=False),
    variable("read by a context cell", "import os\nvalue = os.environ['PROBE']", "result = value"),
    variable("set after it was not", OS, "result = os.environ.get('PROBE')", environment={}),
    variable("no longer set", OS, "result = os.environ.get('PROBE')", changed_environment={}),
    variable("empty or not set", OS, "result = os.environ.get('PROBE')", environment={}, changed_environment={"PROBE": ""}),
    variable("set by a cell", "import os\nos.environ['PROBE'] = '5'", "result = os.environ['PROBE']", edits={"'5'": "'6'"}),
    variable("read by a module", "import util", "result = util.f()", files={"util.py": "import os\ndef f():\n    return os.environ['PROBE']\n"}),
    Probe("environment/unread variable", "restore", (OS, work("result = os.environ.get('HOME')")), **VARIABLE),
    Probe("environment/set and read by the body", "restore", (OS, work("os.environ['PROBE'] = 'x'\nresult = os.environ['PROBE']")), **VARIABLE),
    setting("working directory", "import os\nos.chdir('one')", "result = open('data.txt').read()", "'one'", "'two'", files={"one/data.txt": "1", "two/data.txt": "2"}, sampled=True),
    setting("working directory asked for", "import os\nos.chdir('one')", "result = os.path.basename(os.getcwd())", "'one'", "'two'", files={"one/data.txt": "1", "two/data.txt": "2"}),
    setting("working directory for Path.cwd", "import os\nfrom pathlib import Path\nos.chdir('one')", "result = Path.cwd().name", "'one'", "'two'", files={"one/data.txt": "1", "two/data.txt": "2"}),
    setting("working directory of a listing", "import os\nos.chdir('one')", "result = os.listdir()", "'one'", "'two'", files={"one/a.txt": "1", "two/b.txt": "2"}),
    setting("working directory of a child process", "import os, subprocess\nos.chdir('one')", "result = subprocess.run(['cat', 'data.txt'], capture_output=True, text=True).stdout", "'one'", "'two'", files={"one/data.txt": "1", "two/data.txt": "2"}),
    setting("working directory of a polars scan", "import os, polars as pl\nos.chdir('one')", "result = pl.read_csv('data.csv')", "'one'", "'two'", files={"one/data.csv": "a\n1\n", "two/data.csv": "a\n2\n"}),
    setting("%cd", "%cd one", "result = open('data.txt').read()", "one", "two", files={"one/data.txt": "1", "two/data.txt": "2"}),
    Probe("environment/time zone", "rerun", ("import datetime as dt", work("result = dt.datetime.fromtimestamp(0).isoformat()")), environment={"TZ": "UTC"}, changed_environment={"TZ": "Asia/Tokyo"}, level="process"),
    Probe("environment/time zone of time", "rerun", ("import time", work("result = time.strftime('%H', time.localtime(0))")), environment={"TZ": "UTC"}, changed_environment={"TZ": "Asia/Tokyo"}, level="process"),
    Probe("environment/time zone of a helper", "rerun", ("import datetime as dt\ndef f():\n    return dt.datetime(1970, 1, 1).timestamp()", work("result = f()")), environment={"TZ": "UTC"}, changed_environment={"TZ": "Asia/Tokyo"}, level="process"),
    Probe("environment/time zone that nothing asks for", "restore", (work("result = 1"),), environment={"TZ": "UTC"}, changed_environment={"TZ": "Asia/Tokyo"}, level="process"),
    setting("locale", "import locale\nlocale.setlocale(locale.LC_COLLATE, 'C')", "result = locale.setlocale(locale.LC_COLLATE)", "'C'", "'C.UTF-8'"),
    setting("locale in strxfrm", "import locale\nlocale.setlocale(locale.LC_ALL, 'C')", "import locale\nresult = locale.setlocale(locale.LC_NUMERIC), f'{1.5:n}'", "'C'", "'C.UTF-8'"),
    Probe("environment/default encoding", "rerun", (work("try:\n    result = open('data.txt').read()\nexcept UnicodeDecodeError:\n    result = ''"),), before="open('data.txt', 'wb').write('é'.encode())", environment={"PYTHONUTF8": "1"}, changed_environment={"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, level="process"),
    setting("decimal context", "import decimal\ndecimal.getcontext().prec = 5", "result = str(decimal.Decimal(1) / 3)", "= 5", "= 6"),
    setting("decimal context of a helper", "import decimal\nfrom decimal import Decimal\ndecimal.setcontext(decimal.Context(prec=5))\ndef f():\n    return str(Decimal(1) / 3)", "result = f()", "prec=5", "prec=6"),
    setting("digits of integers", "import sys\nsys.set_int_max_str_digits(5000)", "result = sys.get_int_max_str_digits()", "5000", "6000"),
    setting("dialect of csv", "import csv\ncsv.register_dialect('mine', delimiter=';')", "result = list(csv.reader(['a;b,c'], 'mine'))", "';'", "','"),
    setting("size of csv fields", "import csv\ncsv.field_size_limit(1000)", "result = csv.field_size_limit()", "1000", "2000"),
    setting("first day of the week", "import calendar\ncalendar.setfirstweekday(1)", "result = calendar.month(2024, 1)", "(1)", "(6)"),
    setting("reduction of a class", "import copy, copyreg\nclass C: pass\ndef reduced(c):\n    return dict, ([('k', 1)],)\ncopyreg.pickle(C, reduced)", "result = copy.copy(C())", "'k', 1", "'k', 2"),
    setting("encoder of json", "import json\njson.JSONEncoder.default = lambda self, value: 'a'", "result = json.dumps(object())", "'a'", "'b'"),
    setting("print options of numpy", "import numpy as np\nnp.set_printoptions(precision=3)", "result = str(np.array([1 / 3]))", "precision=3", "precision=4"),
    setting("errors of numpy", "import numpy as np\nnp.seterr(divide='ignore')", "result = np.geterr()['divide']", "'ignore'", "'raise'"),
    setting("display option of pandas", "import pandas as pd\npd.set_option('display.precision', 3)", "result = str(pd.Series([1 / 3]))", ", 3)", ", 4)"),
    setting("type option of pandas", "import pandas as pd\npd.set_option('mode.string_storage', 'python')", "result = pd.Series(['a'], dtype='string').dtype.storage", "'python'", "'pyarrow'"),
    setting("options of polars", "import polars as pl\npl.Config.set_tbl_rows(3)", "result = str(pl.DataFrame({'a': range(9)}))", "(3)", "(4)"),
    setting("parameters of matplotlib", "import matplotlib as mpl\nmpl.rcParams['figure.dpi'] = 50", "result = mpl.rcParams['figure.dpi']", "= 50", "= 60"),
    setting("configuration of scikit-learn", "import sklearn\nsklearn.set_config(transform_output='default')", "result = sklearn.get_config()['transform_output']", "'default'", "'pandas'"),
    setting("import path", "import sys\nsys.path.insert(0, 'one')", "import probe_place\nresult = probe_place.N", "'one'", "'two'", files={"one/probe_place.py": "N = 1\n", "two/probe_place.py": "N = 2\n"}),
    setting("arguments", "import sys\nsys.argv = ['x', '1']", "result = sys.argv[1]", "'1'", "'2'"),
    setting("random state", "import random\nrandom.seed(1)", "result = random.random()", "seed(1)", "seed(2)"),
    setting("random state of numpy", "import numpy as np\nnp.random.seed(1)", "result = np.random.rand(3)", "seed(1)", "seed(2)"),
    setting("random state in a library", "import numpy as np\nfrom sklearn.utils import shuffle\nnp.random.seed(1)", "result = shuffle(list(range(20)))", "seed(1)", "seed(2)"),
    setting("random state in a helper", "import random\nrandom.seed(1)\ndef draw():\n    return random.random()", "result = draw()", "seed(1)", "seed(2)"),
    setting("random state of pandas", "import numpy as np, pandas as pd\nnp.random.seed(1)", "result = pd.Series(range(20)).sample(5).tolist()", "seed(1)", "seed(2)"),
    setting("random generator of numpy replaced", "import numpy as np\nnp.random.set_bit_generator(np.random.PCG64(1))", "result = float(np.random.rand())", "PCG64(1)", "PCG64(2)"),
    setting("random state by from import", "from random import seed, random\nseed(1)", "result = random()", "seed(1)", "seed(2)"),
    setting("random state of scipy", "import numpy as np\nnp.random.seed(1)", "from scipy import stats\nresult = float(stats.norm.rvs())", "seed(1)", "seed(2)"),
    setting("random state of scikit-learn", "import numpy as np\nnp.random.seed(1)", "from sklearn.utils import shuffle\nresult = [int(n) for n in shuffle([1, 2, 3, 4, 5, 6, 7])]", "seed(1)", "seed(2)"),
    setting("generator of random", "import random\nrng = random.Random(1)", "result = rng.random()", "Random(1)", "Random(2)"),
    setting("generator of numpy", "import numpy as np\nrng = np.random.default_rng(1)", "result = rng.random(3)", "rng(1)", "rng(2)"),
    setting("RandomState of numpy", "import numpy as np\nrng = np.random.RandomState(1)", "result = rng.rand(3)", "State(1)", "State(2)"),
    setting("seed as a constant", "import random\nSEED = 1", "random.seed(SEED)\nresult = random.random()", "= 1", "= 2"),
    Probe("environment/seeded in the body", "restore", ("import random", work("random.seed(1)\nresult = random.random()"))),
    Probe("environment/seeded by a cell", "restore", ("import random\nrandom.seed(1)", work("result = random.random()"))),
    Probe("environment/unused random state", "restore", ("import random\nrandom.seed(1)", work("result = 1")), edits={"seed(1)": "seed(2)"}),
    Probe("environment/parameter", "rerun", ("# parameters\ndate = '2026-01-01'", work("result = date")), edits={"01-01": "01-02"}, sampled=True),
    Probe("environment/type of a parameter", "rerun", ("# parameters\nn = 1", work("result = n")), edits={"n = 1": "n = '1'"}),
    Probe("environment/parameter of a helper", "rerun", ("# parameters\nn = 1", "def f():\n    return n", work("result = f()")), edits={"n = 1": "n = 2"}),
    Probe("environment/parameter by way of a cell", "rerun", ("# parameters\nn = 1", "m = n + 1", work("result = m")), edits={"n = 1": "n = 2"}),
    Probe("environment/unused parameter", "restore", ("# parameters\nn = 1\nk = 1", work("result = n")), edits={"k = 1": "k = 2"}),
    Probe("environment/other hash seed", "restore", ("items = {'a', 'b', 'c'}\nclass C:\n    names = {'x', 'y'}\ndef f(x):\n    return x in {'p', 'q', 'r'}", work("result = [sorted(items), sorted(C.names), f('p')]")), environment={"PYTHONHASHSEED": "1"}, changed_environment={"PYTHONHASHSEED": "2"}, level="process", sampled=True),
    Probe("environment/other hash seed for an input", "restore", (text("%%step load\nload = {'s': {'a', 'b'}, 'f': frozenset('xyz')}"), work("result = sorted(load['s'])", "load")), environment={"PYTHONHASHSEED": "1"}, changed_environment={"PYTHONHASHSEED": "2"}, level="process"),
    Probe("environment/another process", "restore", ("import pandas as pd\nRATE = 2\ndef f(x):\n    return x * RATE", work("result = pd.DataFrame({'a': [f(1)]})")), level="process"),
    Probe("environment/another user", "restore", ("import os", work("result = 1")), environment={"USER": "ann", "LOGNAME": "ann", "HOME": "."}, changed_environment={"USER": "bob", "LOGNAME": "bob", "HOME": ".."}, level="process"),
    Probe("environment/optimised bytecode", "rerun", (work("try:\n    assert False\n    result = 1\nexcept AssertionError:\n    result = 2"),), environment={"PYTHONOPTIMIZE": ""}, changed_environment={"PYTHONOPTIMIZE": "1"}, level="process"),
)  # fmt: skip
