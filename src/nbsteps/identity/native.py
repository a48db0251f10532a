"""Readers of other libraries that open files in C, where no audit event tells: each announces the path it is given.

A row names a function, or a class whose ``__init__`` can be replaced, and the argument that holds the path. A
type in C whose ``__init__`` cannot be replaced (``netCDF4.Dataset``) stays as it is, and unheard.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Reader(NamedTuple):
    """One function or class that opens a file.

    Attributes:
        name: in its module; ``Class.__init__`` for a class.
        keyword: of the argument that holds the path.
        position: of the same, ``self`` counted.
        moded: whether a mode follows it, as for ``open``: what is opened to be written anew is not read.
    """

    name: str
    keyword: str
    position: int = 0
    moded: bool = False


READERS: Final[dict[str, tuple[Reader, ...]]] = {
    "h5py._hl.files": (Reader("File.__init__", "name", 1, moded=True),),
    "tables.file": (Reader("open_file", "filename", moded=True), Reader("File.__init__", "filename", 1, moded=True)),
    "cv2": (Reader("imread", "filename"), Reader("imreadmulti", "filename"), Reader("VideoCapture", "filename")),
    "rasterio": (Reader("open", "fp", moded=True),),
    "fiona": (Reader("open", "fp", moded=True),),
    "pyogrio.geopandas": (Reader("read_dataframe", "path_or_buffer"),),
    "pyogrio.raw": (Reader("read", "path_or_buffer"), Reader("read_arrow", "path_or_buffer")),
    "xarray.backends.api": (
        Reader("open_dataset", "filename_or_obj"),
        Reader("open_mfdataset", "paths"),
        Reader("open_zarr", "store"),
    ),
    "soundfile": (Reader("SoundFile.__init__", "file", 1, moded=True),),
    "pyreadstat": tuple(Reader(f"read_{kind}", "filename_path") for kind in ("sas7bdat", "xport", "sav", "por", "dta")),
    "safetensors": (Reader("safe_open", "filename"),),
    "safetensors.torch": (Reader("load_file", "filename"),),
    "safetensors.numpy": (Reader("load_file", "filename"),),
    "scipy.io._fast_matrix_market": (Reader("mmread", "source"), Reader("mminfo", "source")),
    "lightgbm.basic": (Reader("Booster.__init__", "model_file", 3), Reader("Dataset.__init__", "data", 1)),
    "xgboost.core": (Reader("Booster.load_model", "fname", 1), Reader("DMatrix.__init__", "data", 1)),
    "onnxruntime.capi.onnxruntime_inference_collection": (Reader("InferenceSession.__init__", "path_or_bytes", 1),),
}
"""Module -> what in it opens files; prepared when the module is loaded."""
