"""What a terminal remembers, in a file if it is given one: the ids of its last commands, its cursor, its last results.

The file has a line for each change, and is written anew when it has grown. An id is on the disk before the program gets
the command, and a result before it is sent. A crash can tear the last line only, and a line without its end is ignored.
"""

import logging
import os
from collections import OrderedDict
from pathlib import Path
from typing import IO

log = logging.getLogger("muster_client")

IDS = 4096
"""So many ids are remembered."""
RESULTS = 256
"""So many results."""
RESULTS_BYTES = 1 << 20
"""They have at most so many bytes together."""
SLACK = 4
"""The file is written anew when it has so many times the lines that it needs."""
SMALL = 1 << 20
"""A file of fewer bytes is not written anew for its bytes."""


class Memory:
    """The last ids, the cursor and the last results. Raises OSError if the file can't be used at the start."""

    def __init__(self, path: Path | None = None) -> None:
        self.cursor: str | None = None
        self.results: OrderedDict[str, str] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._path = path
        self._file: IO[bytes] | None = None
        self._lines = self._bytes = 0
        self._is_torn = False
        if path:
            self._read(path)
            self._rewrite(path)

    def has(self, command: str) -> bool:
        """Return whether the program was given this command before, as far as is remembered."""
        return command in self._ids

    def add(self, command: str) -> None:
        """Remember a command. It is on the disk when this returns."""
        self._remember(command)
        self._append(f"command {command}\n", sync=True)

    def set_cursor(self, cursor: str) -> None:
        """Replace the cursor. One that is lost with the power costs some commands that come twice."""
        if cursor != self.cursor:
            self.cursor = cursor
            self._append(f"cursor {cursor}\n", sync=False)

    def set_result(self, command: str, frame: str) -> None:
        """Remember the result of a command. It is on the disk when this returns."""
        self._remember_result(command, frame)
        self._append(f"result {command} {frame}\n", sync=True)

    def close(self) -> None:
        """Close the file. Nothing is written any more."""
        if self._file:
            self._file.close()
            self._file = None

    def _remember(self, command: str) -> None:
        self._ids[command] = None
        while len(self._ids) > IDS:
            self._ids.popitem(last=False)

    def _remember_result(self, command: str, frame: str) -> None:
        self.results[command] = frame
        self.results.move_to_end(command)
        while len(self.results) > RESULTS or sum(map(len, self.results.values())) > RESULTS_BYTES:
            self.results.popitem(last=False)

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        for line in path.read_bytes().splitlines(keepends=True):
            words = line.decode(errors="replace").split(" ", 2)
            if not line.endswith(b"\n"):
                continue
            words[-1] = words[-1].removesuffix("\n")
            match words:
                case ["command", command]:
                    self._remember(command)
                case ["cursor", *cursor]:
                    self.cursor = " ".join(cursor)
                case ["result", command, frame]:
                    self._remember_result(command, frame)

    def _rewrite(self, path: Path) -> None:
        """Write another file and rename it, so that the file is whole at any time."""
        lines = [f"command {command}\n" for command in self._ids]
        lines += [f"cursor {self.cursor}\n"] if self.cursor is not None else []
        lines += [f"result {command} {frame}\n" for command, frame in self.results.items()]
        text = "".join(lines).encode()
        following = path.with_name(path.name + ".next")
        with following.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        following.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        if self._file:
            self._file.close()
        self._file = path.open("ab", buffering=0)
        self._lines, self._bytes, self._is_torn = len(lines), len(text), False

    def _append(self, line: str, *, sync: bool) -> None:
        """Append a line that is remembered already. After a failure the next line has the whole file written anew."""
        if not self._path or not self._file:
            return
        data = line.encode()
        self._lines += 1
        self._bytes += len(data)
        try:
            self._write(self._path, data, sync=sync)
        except OSError as error:
            # A full disk takes no terminal offline. The next line would be glued to half of this one.
            self._is_torn = True
            log.warning("the memory file was not written: %s", error)

    def _write(self, path: Path, data: bytes, *, sync: bool) -> None:
        assert self._file
        needed = len(self._ids) + len(self.results) + 1
        is_long = self._lines > SLACK * max(needed, 64) or self._bytes > SLACK * (SMALL + RESULTS_BYTES)
        if self._is_torn or is_long:
            return self._rewrite(path)
        if self._file.write(data) != len(data):
            raise OSError("a part of a line only")
        if sync:
            os.fdatasync(self._file.fileno())
        return None
