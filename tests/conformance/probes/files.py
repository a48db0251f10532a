"""Files that a body reads, by whatever reader: their content counts, also where nobody declared them."""

# ruff: noqa: E501 - a row of the table is one probe, however long

from __future__ import annotations

from tests.conformance.probe import Probe, step, text, work

CSV, OTHER = "a,b\n1,x\n2,y\n", "a,b\n1,x\n3,y\n"
PD, PL = "import pandas as pd", "import polars as pl"
PQ = "import pandas as pd\npd.DataFrame({{'a': [1, {}]}}).to_{}('data.{}')"
STAMP = "\nimport os\nos.utime('{}', ns=(10**18, 10**18))"


def textual(name, context, body, file="data.csv", old=CSV, new=OTHER, **more):
    """A text file that the body reads is edited."""
    cells = (*((text(context),) if context else ()), work(body, options=more.pop("options", "")))
    return Probe(f"files/{name}", "rerun", cells, files={file: old}, changed={file: new}, **more)


def binary(name, context, body, make, **more):
    """A file in a binary format is made anew; ``{}`` in ``make`` is a number in it."""
    cells = (*((text(context),) if context else ()), work(body))
    return Probe(f"files/{name}", "rerun", cells, before=make.format(2), change=make.format(3), **more)


def table(kind):
    return f"import pandas as pd\npd.DataFrame({{{{'a': [1, {{}}]}}}}).to_{kind}('data.{kind}')"


PARQUET, FEATHER = table("parquet"), table("feather")
ARROW = (
    "import pyarrow as pa\nt = pa.table({{'a': [1, {}]}})\n"
    "with pa.OSFile('data.arrow', 'wb') as f, pa.ipc.new_file(f, t.schema) as w:\n    w.write_table(t)"
)
STREAM = ARROW.replace("new_file", "new_stream")
PARTS = "import pandas as pd, os\nos.makedirs('parts', exist_ok=True)\npd.DataFrame({{'a': [{}]}}).to_parquet('parts/one.parquet')"
MORE = "import pandas as pd\npd.DataFrame({'a': [5]}).to_parquet('parts/two.parquet')"
SQLITE = (
    "import sqlite3\nc = sqlite3.connect('data.db')\nc.execute('create table if not exists t (a)')\n"
    "c.execute('delete from t')\nc.execute('insert into t values ({})')\nc.commit()\nc.close()"
)
DUCK = "import duckdb\nc = duckdb.connect('data.duckdb')\nc.execute('create or replace table t as select {} as a')\nc.close()"
CONTEXT_NP = "import numpy as np"
READERS = (
    textual("open", "", "result = open('data.csv').read()", sampled=True),
    textual("with open", "", "with open('data.csv') as f:\n    result = f.read()"),
    textual("open as bytes", "", "with open('data.csv', 'rb') as f:\n    result = f.read()"),
    textual("os.open", "import os", "fd = os.open('data.csv', os.O_RDONLY)\nresult = os.read(fd, 100)\nos.close(fd)"),
    textual("io.FileIO", "import io", "with io.FileIO('data.csv') as f:\n    result = f.read()"),
    textual("mmap", "import mmap", "with open('data.csv', 'rb') as f, mmap.mmap(f.fileno(), 0, access=1) as m:\n    result = m[:]"),
    textual("pathlib", "from pathlib import Path", "result = Path('data.csv').read_text()"),
    textual("pathlib open", "from pathlib import Path", "with Path('data.csv').open() as f:\n    result = f.read()"),
    textual("csv", "import csv", "with open('data.csv') as f:\n    result = list(csv.reader(f))"),
    textual("json", "import json", "with open('c.json') as f:\n    result = json.load(f)", "c.json", '{"n": 1}', '{"n": 2}'),
    textual("tomllib", "import tomllib", "with open('c.toml', 'rb') as f:\n    result = tomllib.load(f)", "c.toml", "n = 1", "n = 2"),
    textual("configparser", "import configparser", "c = configparser.ConfigParser()\nc.read('c.ini')\nresult = c['a']['n']", "c.ini", "[a]\nn = 1\n", "[a]\nn = 2\n"),
    textual("fileinput", "import fileinput", "with fileinput.input('data.csv') as f:\n    result = list(f)"),
    textual("linecache", "import linecache", "linecache.checkcache()\nresult = linecache.getlines('data.csv')"),
    textual("tokenize.open", "import tokenize", "with tokenize.open('data.py') as f:\n    result = f.read()", file="data.py", old="a = 1\n", new="a = 2\n"),
    textual("link made by the body", "import os", "os.link('data.csv', 'other.csv')\nwith open('other.csv') as f:\n    result = f.read()\nos.remove('other.csv')", uncacheable="linking changes the state of the file"),
    textual("symlink made by the body", "import os", "os.symlink('data.csv', 'other.csv')\nwith open('other.csv') as f:\n    result = f.read()\nos.remove('other.csv')"),
    textual("renamed by the body", "import os", "os.rename('data.csv', 'other.csv')\nwith open('other.csv') as f:\n    result = f.read()\nos.rename('other.csv', 'data.csv')", uncacheable="the body moves the file that it reads"),
    textual("pseudo file", "", "with open('/proc/self/cwd/data.csv') as f:\n    result = f.read()"),
    textual("address of a file", "import polars as pl, os", "result = pl.scan_csv('file://' + os.path.abspath('data.csv')).collect()"),
    textual("polars read_csv in SQL", PL, "result = pl.sql(\"select * from read_csv('data.csv')\").collect()"),
    textual("polars SQLContext", PL, "result = pl.SQLContext().execute(\"select * from read_csv('data.csv')\").collect()"),
    textual("duckdb read_text", "import duckdb", "result = duckdb.sql(\"select content from read_text('data.csv')\").fetchall()"),
    textual("duckdb computed name", "import duckdb", "result = duckdb.sql(\"select * from read_csv('data' || '.csv')\").fetchall()", uncacheable="which file it is cannot be told"),
    textual("scipy.io.mmread", "import scipy.io", "result = scipy.io.mmread('data.mtx')", file="data.mtx", old="%%MatrixMarket matrix array real general\n1 1\n1\n", new="%%MatrixMarket matrix array real general\n1 1\n2\n"),
    textual("absolute path", "import os\nPLACE = os.path.abspath('data.csv')", "result = open(PLACE).read()"),
    textual("path from an expression", "NAME = 'data'", "result = open(f'{NAME}.csv').read()"),
    textual("sub-folder", "", "result = open('in/data.csv').read()", "in/data.csv"),
    textual("inside a helper", "def load(path):\n    with open(path) as f:\n        return f.read()", "result = load('data.csv')", sampled=True),
    textual("in a thread", "from concurrent.futures import ThreadPoolExecutor\ndef load():\n    return open('data.csv').read()", "with ThreadPoolExecutor() as pool:\n    result = pool.submit(load).result()"),
    textual("in a generator", "def lines():\n    with open('data.csv') as f:\n        yield from f", "result = list(lines())"),
    textual("in a child process", "import subprocess", "result = subprocess.run(['cat', 'data.csv'], capture_output=True, text=True).stdout"),
    textual("by a shell line", "", "result = !cat data.csv\nresult = list(result)"),
    textual("in a worker of a pool", "from concurrent.futures import ProcessPoolExecutor\ndef load(path):\n    return open(path).read()", "with ProcessPoolExecutor(1) as pool:\n    result = list(pool.map(load, ['data.csv']))", level="process"),
    textual("in a spawned worker", "from multiprocessing import get_context", "import loading\nwith get_context('spawn').Pool(1) as pool:\n    result = pool.map(loading.load, ['data.csv'])", before="open('loading.py', 'w').write('def load(path):\\n    return open(path).read()\\n')", level="kernel", sampled=True),
    textual("in a worker of joblib", "from joblib import Parallel, delayed\ndef load(path):\n    return open(path).read()", "result = Parallel(n_jobs=2)(delayed(load)(path) for path in ['data.csv'])", level="process"),
    textual("in a forked worker", "from multiprocessing import get_context\ndef load(path):\n    return open(path).read()", "with get_context('fork').Pool(1) as pool:\n    result = pool.map(load, ['data.csv'])", level="process"),
    textual("np.loadtxt", CONTEXT_NP, "result = np.loadtxt('data.csv', skiprows=1, usecols=0, delimiter=',')"),
    textual("np.genfromtxt", CONTEXT_NP, "result = np.genfromtxt('data.csv', skip_header=1, usecols=0, delimiter=',')"),
    textual("np.fromfile", CONTEXT_NP, "result = np.fromfile('data.csv', dtype='u1')"),
    textual("np.memmap", CONTEXT_NP, "result = np.memmap('data.csv', dtype='u1', mode='r').tolist()"),
    textual("pd.read_csv", PD, "result = pd.read_csv('data.csv')", sampled=True),
    textual("pd.read_csv by python", PD, "result = pd.read_csv('data.csv', engine='python')"),
    textual("pd.read_csv by pyarrow", PD, "result = pd.read_csv('data.csv', engine='pyarrow')"),
    textual("pd.read_table", PD, "result = pd.read_table('data.csv')"),
    textual("pd.read_json", PD, "result = pd.read_json('d.json')", "d.json", '[{"a": 1}]', '[{"a": 2}]'),
    textual("pandas imported by the body", "", "import pandas as pd\nresult = pd.read_csv('data.csv')"),
    textual("pl.read_csv", PL, "result = pl.read_csv('data.csv')"),
    textual("pl.scan_csv", PL, "result = pl.scan_csv('data.csv').collect()"),
    textual("pl.scan_csv collected later", PL, "_lazy = pl.scan_csv('data.csv')\nresult = _lazy.collect()"),
    textual("pl.read_ndjson", PL, "result = pl.read_ndjson('d.json')", "d.json", '{"a": 1}', '{"a": 2}'),
    textual("pl.read_json", PL, "result = pl.read_json('d.json')", "d.json", '[{"a": 1}]', '[{"a": 2}]'),
    textual("polars imported by the body", "", "import polars\nresult = polars.read_csv('data.csv')", level="process"),
    textual("pl.read_csv from import", "from polars import read_csv", "result = read_csv('data.csv')"),
    textual("pyarrow.csv", "import pyarrow.csv", "result = pyarrow.csv.read_csv('data.csv')"),
    textual("pyarrow.csv.open_csv", "from pyarrow import csv", "result = csv.open_csv('data.csv').read_all()"),
    textual("pyarrow.json", "import pyarrow.json", "result = pyarrow.json.read_json('d.json')", "d.json", '{"a": 1}', '{"a": 2}'),
    textual("pyarrow.dataset of csv", "import pyarrow.dataset as ds", "result = ds.dataset('data.csv', format='csv').to_table()"),
    textual("pa.OSFile", "import pyarrow as pa", "with pa.OSFile('data.csv') as f:\n    result = f.read()"),
    textual("pa.memory_map", "import pyarrow as pa", "with pa.memory_map('data.csv') as f:\n    result = f.read()"),
    textual("pa.input_stream", "import pyarrow as pa", "with pa.input_stream('data.csv') as f:\n    result = f.read()"),
    textual("duckdb.sql", "import duckdb", "result = duckdb.sql(\"select * from 'data.csv'\").fetchall()", sampled=True),
    textual("duckdb.read_csv", "import duckdb", "result = duckdb.read_csv('data.csv').fetchall()"),
    textual("duckdb read_csv in SQL", "import duckdb", "result = duckdb.execute(\"select sum(a) from read_csv('data.csv')\").fetchall()"),
    textual("duckdb connection", "import duckdb", "with duckdb.connect() as c:\n    result = c.execute(\"select * from 'data.csv'\").fetchall()"),
    textual("duckdb connection of a cell", "import duckdb\ndef ask(q):\n    with duckdb.connect() as c:\n        return c.sql(q).fetchall()", "result = ask(\"from 'data.csv'\")"),
    textual("duckdb glob", "import duckdb", "result = duckdb.sql(\"select * from 'd*.csv'\").fetchall()"),
    binary("pd.read_parquet", PD, "result = pd.read_parquet('data.parquet')", PARQUET, sampled=True),
    binary("pd.read_parquet of an open file", PD, "with open('data.parquet', 'rb') as f:\n    result = pd.read_parquet(f)", PARQUET),
    binary("pd.read_parquet from import", "from pandas import read_parquet", "result = read_parquet('data.parquet')", PARQUET),
    binary("pd.read_parquet of a path", "import pandas as pd\nfrom pathlib import Path\nPLACE = Path('data.parquet')", "result = pd.read_parquet(PLACE)", PARQUET),
    binary("pd.read_parquet inside a helper", "import pandas as pd\ndef load(name):\n    return pd.read_parquet(f'{name}.parquet')", "result = load('data')", PARQUET),
    binary("pd.read_parquet kept in a variable", "import pandas as pd\nread = pd.read_parquet", "result = read('data.parquet')", PARQUET),
    binary("pd.read_feather", PD, "result = pd.read_feather('data.feather')", FEATHER),
    binary("pd.read_orc", PD, "result = pd.read_orc('data.orc')", table("orc")),
    binary("pd.read_pickle", PD, "result = pd.read_pickle('data.pickle')", table("pickle")),
    binary("pq.read_table", "import pyarrow.parquet as pq", "result = pq.read_table('data.parquet')", PARQUET),
    binary("pq.read_table from import", "from pyarrow.parquet import read_table", "result = read_table('data.parquet')", PARQUET),
    binary("pq.ParquetFile", "import pyarrow.parquet as pq", "with pq.ParquetFile('data.parquet') as f:\n    result = f.read()", PARQUET),
    binary("pq.ParquetDataset", "import pyarrow.parquet as pq", "result = pq.ParquetDataset('data.parquet').read()", PARQUET),
    binary("pq.read_metadata", "import pyarrow.parquet as pq", "result = pq.read_metadata('data.parquet').row_group(0).column(0).statistics.max", PARQUET),
    binary("pq.read_pandas", "import pyarrow.parquet as pq", "result = pq.read_pandas('data.parquet')", PARQUET),
    binary("pyarrow imported by the body", "", "import pyarrow.parquet as pq\nresult = pq.read_table('data.parquet')", PARQUET, level="process"),
    binary("pyarrow.feather", "import pyarrow.feather as pf", "result = pf.read_table('data.feather')", FEATHER),
    binary("pyarrow.orc", "import pyarrow.orc as po", "result = po.read_table('data.orc')", table("orc")),
    binary("pa.ipc file", "import pyarrow as pa", "with pa.OSFile('data.arrow') as f:\n    result = pa.ipc.open_file(f).read_all()", ARROW),
    binary("pa.ipc memory map", "import pyarrow as pa", "with pa.memory_map('data.arrow') as f:\n    result = pa.ipc.open_file(f).read_all()", ARROW),
    binary("pa.ipc stream", "import pyarrow as pa", "with pa.OSFile('data.arrow') as f:\n    result = pa.ipc.open_stream(f).read_all()", STREAM),
    binary("pyarrow.dataset of a file", "import pyarrow.dataset as ds", "result = ds.dataset('data.parquet').to_table()", PARQUET),
    binary("pyarrow.dataset of a folder", "import pyarrow.dataset as ds", "result = ds.dataset('parts').to_table()", PARTS),
    binary("pd.read_parquet of a folder", PD, "result = pd.read_parquet('parts')", PARTS),
    binary("pl.read_parquet", PL, "result = pl.read_parquet('data.parquet')", PARQUET),
    binary("pl.scan_parquet", PL, "result = pl.scan_parquet('data.parquet').filter(pl.col('a') > 1).collect()", PARQUET),
    binary("pl.scan_parquet glob", PL, "result = pl.scan_parquet('parts/*.parquet').collect()", PARTS),
    binary("pl.read_parquet of a list", PL, "result = pl.read_parquet(['data.parquet'])", PARQUET),
    binary("pl.read_ipc", PL, "result = pl.read_ipc('data.arrow')", ARROW),
    binary("pl.scan_ipc", PL, "result = pl.scan_ipc('data.arrow').collect()", ARROW),
    binary("pl.read_parquet_schema", PL, "result = pl.read_parquet_metadata('data.parquet').get('pandas'), pl.read_parquet('data.parquet')['a'].max()", PARQUET),
    binary("pl.scan_pyarrow_dataset", "import polars as pl, pyarrow.dataset as ds", "result = pl.scan_pyarrow_dataset(ds.dataset('data.parquet')).collect()", PARQUET),
    binary("duckdb parquet in SQL", "import duckdb", "result = duckdb.sql(\"select * from 'data.parquet'\").fetchall()", PARQUET),
    binary("duckdb read_parquet", "import duckdb", "result = duckdb.read_parquet('data.parquet').fetchall()", PARQUET),
    binary("duckdb from_parquet list", "import duckdb", "result = duckdb.sql(\"from read_parquet(['data.parquet'])\").fetchall()", PARQUET),
    binary("duckdb database", "import duckdb", "with duckdb.connect('data.duckdb', read_only=True) as c:\n    result = c.sql('from t').fetchall()", DUCK),
    binary("duckdb attach", "import duckdb", "with duckdb.connect() as c:\n    c.execute(\"attach 'data.duckdb' as d (read_only)\")\n    result = c.sql('from d.t').fetchall()", DUCK),
    binary("duckdb imported by the body", "", "import duckdb\nresult = duckdb.sql(\"from 'data.parquet'\").fetchall()", PARQUET),
    binary("sqlite", "import sqlite3", "_c = sqlite3.connect('data.db')\nresult = _c.execute('select * from t').fetchall()\n_c.close()", SQLITE),
    binary("sqlite by URI", "import sqlite3", "_c = sqlite3.connect('file:data.db?mode=ro', uri=True)\nresult = _c.execute('select * from t').fetchall()\n_c.close()", SQLITE),
    binary("pd.read_sql of sqlite", "import pandas as pd, sqlite3", "_c = sqlite3.connect('data.db')\nresult = pd.read_sql('select * from t', _c)\n_c.close()", SQLITE),
    binary("np.load", CONTEXT_NP, "result = np.load('data.npy')", "import numpy as np\nnp.save('data.npy', [1, {}])"),
    binary("np.load by memory map", CONTEXT_NP, "result = np.load('data.npy', mmap_mode='r').tolist()", "import numpy as np\nnp.save('data.npy', [1, {}])"),
    binary("np.load of npz", CONTEXT_NP, "with np.load('data.npz') as f:\n    result = f['a']", "import numpy as np\nnp.savez('data.npz', a=[1, {}])"),
    binary("pickle", "import pickle", "with open('data.pkl', 'rb') as f:\n    result = pickle.load(f)", "import pickle\nwith open('data.pkl', 'wb') as f:\n    pickle.dump([1, {}], f)"),
    binary("joblib", "import joblib", "result = joblib.load('data.joblib')", "import joblib\njoblib.dump([1, {}], 'data.joblib')"),
    binary("gzip", "import gzip", "with gzip.open('data.gz') as f:\n    result = f.read()", "import gzip\nwith gzip.open('data.gz', 'wb') as f:\n    f.write(b'{}')"),
    binary("zip", "import zipfile", "with zipfile.ZipFile('data.zip') as z:\n    result = z.read('a')", "import zipfile\nwith zipfile.ZipFile('data.zip', 'w') as z:\n    z.writestr('a', '{}')"),
    binary("tar", "import tarfile", "with tarfile.open('data.tar') as t:\n    result = t.extractfile('a').read()", "import tarfile, io\nwith tarfile.open('data.tar', 'w') as t:\n    i = tarfile.TarInfo('a')\n    i.size = 1\n    t.addfile(i, io.BytesIO(b'{}'))"),
    binary("picture", "import matplotlib.image as mi", "result = mi.imread('data.png')", "import matplotlib.image as mi, numpy as np\nmi.imsave('data.png', np.full((2, 2), {}), vmin=0, vmax=5)"),
    binary("shelve", "import shelve", "with shelve.open('box', 'r') as s:\n    result = dict(s)", "import shelve\nwith shelve.open('box') as s:\n    s['a'] = {}"),
)  # fmt: skip

CHANGES = (
    textual("same size and time", "", "result = open('data.csv').read()", before=STAMP.format("data.csv"), change=STAMP.format("data.csv"), sampled=True),
    textual("same size and time of a parquet file", PD, "result = pd.read_parquet('data.csv')", "keep.txt", "a", "b", before=PARQUET.format(2).replace("data.parquet", "data.csv") + STAMP.format("data.csv"), change=PARQUET.format(3).replace("data.parquet", "data.csv") + STAMP.format("data.csv")),
    textual("declared", "", "result = 1", options="--files data.csv", differs=False),
    textual("declared by a glob", "", "result = 1", options="--files *.csv", differs=False),
    Probe("files/declared and appearing", "rerun", (work("result = 1", options="--files data.csv"),), changed={"data.csv": CSV}, differs=False),
    Probe("files/deleted", "rerun", (work("import os\nresult = open('data.csv').read() if os.path.exists('data.csv') else ''"),), files={"data.csv": CSV}, changed={"data.csv": None}),
    Probe("files/appearing for open", "rerun", (work("try:\n    result = open('data.csv').read()\nexcept FileNotFoundError:\n    result = ''"),), changed={"data.csv": CSV}),
    Probe("files/appearing for exists", "rerun", (work("import os\nresult = open('data.csv').read() if os.path.exists('data.csv') else ''"),), changed={"data.csv": CSV}),
    Probe("files/appearing for Path.exists", "rerun", ("from pathlib import Path", work("p = Path('data.csv')\nresult = p.read_text() if p.is_file() else ''")), changed={"data.csv": CSV}),
    Probe("files/appearing for pandas", "rerun", (PD, work("try:\n    result = len(pd.read_parquet('data.parquet'))\nexcept FileNotFoundError:\n    result = 0")), change=PARQUET.format(2)),
    Probe("files/appearing in a listing", "rerun", ("import os", work("result = sorted(os.listdir('in'))")), files={"in/a.csv": CSV}, changed={"in/b.csv": CSV}),
    Probe("files/appearing for scandir", "rerun", ("import os", work("result = sorted(e.name for e in os.scandir('in'))")), files={"in/a.csv": CSV}, changed={"in/b.csv": CSV}),
    Probe("files/appearing for glob", "rerun", ("import glob", work("result = sorted(glob.glob('in/*.csv'))")), files={"in/a.csv": CSV}, changed={"in/b.csv": CSV}, sampled=True),
    Probe("files/appearing for Path.glob", "rerun", ("from pathlib import Path", work("result = sorted(p.name for p in Path('in').glob('*.csv'))")), files={"in/a.csv": CSV}, changed={"in/b.csv": CSV}),
    Probe("files/appearing for a recursive glob", "rerun", ("from pathlib import Path", work("result = sorted(p.name for p in Path('in').rglob('*.csv'))")), files={"in/x/a.csv": CSV}, changed={"in/x/b.csv": CSV}),
    Probe("files/appearing for os.walk", "rerun", ("import os", work("result = sorted(n for _, _, names in os.walk('in') for n in names)")), files={"in/x/a.csv": CSV}, changed={"in/x/b.csv": CSV}),
    Probe("files/appearing for read by glob", "rerun", (PD, "from pathlib import Path", work("result = pd.concat([pd.read_csv(p) for p in sorted(Path('in').glob('*.csv'))])")), files={"in/a.csv": CSV}, changed={"in/b.csv": OTHER}),
    Probe("files/appearing for a polars glob", "rerun", (PL, work("result = pl.read_csv('in/*.csv').height")), files={"in/a.csv": CSV}, changed={"in/b.csv": CSV}),
    Probe("files/appearing for a duckdb glob", "rerun", ("import duckdb", work("result = duckdb.sql(\"select count(*) from 'in/*.csv'\").fetchall()")), files={"in/a.csv": CSV}, changed={"in/b.csv": CSV}),
    Probe("files/appearing in a dataset", "rerun", ("import pyarrow.dataset as ds", work("result = ds.dataset('parts').count_rows()")), before=PARTS.format(2), change=MORE),
    Probe("files/appearing in a folder of parquet files", "rerun", (PD, work("result = len(pd.read_parquet('parts'))")), before=PARTS.format(2), change=MORE),
    Probe("files/symlink to another file", "rerun", (work("result = open('link.csv').read()"),), files={"a.csv": CSV, "b.csv": OTHER}, before="import os\nos.symlink('a.csv', 'link.csv')", change="import os\nos.unlink('link.csv')\nos.symlink('b.csv', 'link.csv')"),
    Probe("files/target of a symlink", "rerun", (work("result = open('link.csv').read()"),), files={"a.csv": CSV}, changed={"a.csv": OTHER}, before="import os\nos.symlink('a.csv', 'link.csv')"),
    Probe("files/symlinked folder", "rerun", (work("result = open('link/data.csv').read()"),), files={"a/data.csv": CSV, "b/data.csv": OTHER}, before="import os\nos.symlink('a', 'link')", change="import os\nos.unlink('link')\nos.symlink('b', 'link')"),
    Probe("files/hard link", "rerun", (work("result = open('link.csv').read()"),), files={"a.csv": CSV}, changed={"a.csv": OTHER}, before="import os\nos.link('a.csv', 'link.csv')"),
    Probe("files/appearing for os.access", "rerun", ("import os", work("result = os.access('data.csv', os.R_OK)")), changed={"data.csv": CSV}),
    Probe("files/appearing for lexists", "rerun", ("import os", work("result = os.path.lexists('data.csv')")), changed={"data.csv": CSV}),
    Probe("files/target asked of a link", "rerun", ("import os", work("result = os.readlink('link')")), before="import os\nos.symlink('a', 'link')", change="import os\nos.unlink('link')\nos.symlink('b', 'link')"),
    Probe("files/sizes by scandir", "rerun", ("import os", work("result = [e.stat().st_size for e in os.scandir('in')]")), files={"in/a.csv": CSV}, changed={"in/a.csv": CSV * 2}),
    Probe("files/class of a pickle in a file", "rerun", ("class C:\n    def f(self):\n        return 1\nimport pickle, pathlib\nif not pathlib.Path('c.pkl').exists():\n    pathlib.Path('c.pkl').write_bytes(pickle.dumps(C()))", work("with open('c.pkl', 'rb') as f:\n    result = pickle.load(f).f()")), edits={"return 1": "return 2"}),
    Probe("files/size by stat", "rerun", ("import os", work("result = os.path.getsize('data.csv')")), files={"data.csv": CSV}, changed={"data.csv": CSV * 2}),
    Probe("files/read by an earlier step too", "rerun", (step("first", "first = open('data.csv').read()"), work("result = first + open('data.csv').read()", "first")), files={"data.csv": CSV}, changed={"data.csv": OTHER}),
    Probe("files/read by an earlier step only", "rerun", (step("first", "first = open('data.csv').read()"), work("result = first", "first")), files={"data.csv": CSV}, changed={"data.csv": OTHER}),
    Probe("files/read by a context cell", "rerun", ("raw = open('data.csv').read()", work("result = raw")), files={"data.csv": CSV}, changed={"data.csv": OTHER}),
    Probe("files/handle opened by a context cell", "rerun", ("handle = open('data.csv')", work("handle.seek(0)\nresult = handle.read()")), files={"data.csv": CSV}, changed={"data.csv": OTHER}, uncacheable="an open file has no digest"),
    Probe("files/lazy frame made by a context cell", "rerun", (f"{PL}\nlazy = pl.scan_csv('data.csv')", work("result = lazy.collect()")), files={"data.csv": CSV}, changed={"data.csv": OTHER}, uncacheable="a query over files has no digest"),
    Probe("files/lazy frame made by a step", "rerun", (PL, step("lazy", "lazy = pl.scan_csv('data.csv')"), work("result = lazy.collect()", "lazy")), files={"data.csv": CSV}, changed={"data.csv": OTHER}, uncacheable="a query over files has no digest"),
    Probe("files/dataset opened by a context cell", "rerun", ("import pyarrow.dataset as ds\ndata = ds.dataset('data.parquet')", work("result = data.to_table()")), before=PARQUET.format(2), change=PARQUET.format(3), uncacheable="a dataset has no digest"),
    Probe("files/memory map made by a context cell", "rerun", ("import numpy as np\nmapped = np.memmap('data.csv', dtype='u1', mode='r')", work("result = mapped.tolist()")), files={"data.csv": CSV}, changed={"data.csv": OTHER}),
    Probe("files/written and read by the body", "rerun", (work("with open('tmp.txt', 'w') as f:\n    f.write(open('data.csv').read())\nresult = open('tmp.txt').read()"),), files={"data.csv": CSV}, changed={"data.csv": OTHER}),
    Probe("files/updated in place by the body", "rerun", (work("with open('data.csv', 'r+') as f:\n    result = f.read()\n    f.seek(0)\n    f.write(result.upper())"),), files={"data.csv": CSV}, changed={"data.csv": OTHER}, uncacheable="the body changes what it read"),
    Probe("files/chosen by an environment variable", "rerun", ("import os", work("result = open(os.environ['PROBE_FILE']).read()")), files={"a.csv": CSV, "b.csv": OTHER}, environment={"PROBE_FILE": "a.csv"}, changed_environment={"PROBE_FILE": "b.csv"}),
    Probe("files/back to what it was", "restore", (work("result = open('data.csv').read()"),), files={"data.csv": CSV}, change="open('data.csv', 'w').write('x')\nopen('data.csv', 'w').write('a,b\\n1,x\\n2,y\\n')"),
    Probe("files/touched", "restore", (work("result = open('data.csv').read()"),), files={"data.csv": CSV}, change="import os\nos.utime('data.csv')", sampled=True),
    Probe("files/rewritten the same", "restore", (work("result = open('data.csv').read()"),), files={"data.csv": CSV}, changed={"data.csv": CSV}),
    Probe("files/replaced by a copy", "restore", (work("result = open('data.csv').read()"),), files={"data.csv": CSV}, change="import os, shutil\nshutil.copy('data.csv', 'c')\nos.replace('c', 'data.csv')"),
    Probe("files/touched parquet file", "restore", (PD, work("result = pd.read_parquet('data.parquet')")), before=PARQUET.format(2), change="import os\nos.utime('data.parquet')"),
    Probe("files/touched file of a polars scan", "restore", (PL, work("result = pl.scan_csv('data.csv').collect()")), files={"data.csv": CSV}, change="import os\nos.utime('data.csv')"),
    Probe("files/touched file of a query", "restore", ("import duckdb", work("result = duckdb.sql(\"from 'data.csv'\").fetchall()")), files={"data.csv": CSV}, change="import os\nos.utime('data.csv')"),
    Probe("files/unread file beside it", "restore", (work("result = open('data.csv').read()"),), files={"data.csv": CSV, "other.csv": CSV}, changed={"other.csv": OTHER}),
    Probe("files/content of a listed file", "restore", ("import os", work("result = sorted(os.listdir('in'))")), files={"in/a.csv": CSV}, changed={"in/a.csv": OTHER}),
    Probe("files/written by the body", "restore", (work("with open('out.txt', 'w') as f:\n    f.write('1')\nresult = 1"),), change="import os\nos.remove('out.txt')"),
    Probe("files/temporary file of the body", "restore", ("import tempfile", work("with tempfile.TemporaryFile('w+') as f:\n    f.write('1')\n    f.seek(0)\n    result = f.read()"))),
    Probe("files/read and written by another step", "restore", (step("first", "first = 1\nwith open('log.txt', 'a') as f:\n    f.write('x')"), work("result = first", "first"))),
    Probe("files/file of the interpreter", "restore", ("import sysconfig, os", work("result = len(open(os.__file__).read()) > 0"))),
    Probe("files/in-memory database", "restore", ("import duckdb, sqlite3", work("_c = sqlite3.connect(':memory:')\nresult = [duckdb.sql('select 1').fetchall(), _c.execute('select 2').fetchall()]\n_c.close()"))),
)  # fmt: skip

PROBES = (*READERS, *CHANGES)
