"""Who wrote a value: a code that only this user can make, checked before anything is unpickled.

Unpickling runs code that the bytes name, so bytes in a store that somebody else may write to (a shared folder, a
downloaded project) must not be unpickled. As in Jupyter's notebook trust, each user has a secret of 32 random bytes
outside the project. The code is BLAKE2b keyed with the secret over codec, type, content digest and **all** the bytes:
the checksum alone would not do, since xxh3 finds damage but an attacker makes collisions at will. That costs about a
second for each gigabyte, at writing and at reading; tables, arrays and plain builtins are decoded without unpickling
and pay nothing.

What the code does not claim: it does not say that the value is the result of a certain step (records say that), and a
program that runs as the same user can read the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sys
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from nbsteps.store.layout import Buffer

SECRET_BYTES = 32


def secret_file() -> Path | None:
    """Where the user's secret is kept; None if the user has no home folder. ``NBSTEPS_SECRET_FILE`` overrides."""
    override = os.environ.get("NBSTEPS_SECRET_FILE")
    if override:
        return Path(override)
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        configured = os.environ.get("XDG_DATA_HOME", "")
        base = Path(configured) if configured.startswith("/") else home / ".local" / "share"
    return base / "nbsteps" / "secret"


def sign(parts: Iterable[Buffer], *, codec: str, type_name: str, digest: str) -> str:
    """Authentication code of a stored value, 64 hexadecimal digits.

    Args:
        parts: the stored bytes, in order.
        codec: name of the codec that will read them.
        type_name: the artifact's type.
        digest: the artifact's content digest.
    """
    state = hashlib.blake2b(key=load_secret(), digest_size=32, person=b"nbsteps-value-1")
    for field in (codec, type_name, digest):
        text = field.encode()
        state.update(len(text).to_bytes(8, "little") + text)
    for part in parts:
        state.update(part)
    return state.hexdigest()


def verify(mac: str, parts: Iterable[Buffer], *, codec: str, type_name: str, digest: str) -> bool:
    """Whether ``mac`` is this user's code for these bytes; compared in constant time."""
    if len(mac) != 2 * SECRET_BYTES or not mac.isascii():
        return False
    return hmac.compare_digest(mac, sign(parts, codec=codec, type_name=type_name, digest=digest))


def load_secret() -> bytes:
    """The user's secret, made at the first use; for this process only, with a warning, if it cannot be kept."""
    return _load(secret_file())


@lru_cache(maxsize=8)
def _load(path: Path | None) -> bytes:
    try:
        if path is not None:
            return _read(path) or _create(path)
        reason = "this user has no home folder"
    except OSError as error:
        reason = f"{path}: {error.strerror or error}"
    warnings.warn(
        f"nbsteps cannot keep its secret ({reason}): values that are pickled now will not be restored later. "
        "Let NBSTEPS_SECRET_FILE name a file that can be written.",
        RuntimeWarning,
        stacklevel=4,
    )
    return os.urandom(SECRET_BYTES)


def _read(path: Path) -> bytes | None:
    """The kept secret; None if there is none. A file of another size is no secret of ours and is not replaced."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(found) != SECRET_BYTES:
        msg = f"has {len(found)} bytes instead of {SECRET_BYTES}; remove it to get a new secret"
        raise OSError(msg)
    return found


def _create(path: Path) -> bytes:
    """Make and keep a secret. Of several processes at once one wins, and all return the winner's secret."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".secret.{os.getpid()}.{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    found = _read(path)
    if found is None:
        msg = "vanished while it was written"
        raise OSError(msg)
    return found


def _publish(temporary: Path, path: Path) -> None:
    """Give the file its name unless another process did so first."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links: renaming is exclusive on Windows, elsewhere nearly so
        if not path.exists():
            temporary.rename(path)
