"""A disk that a test can fill."""

import errno
import subprocess
from pathlib import Path

# Bytes. A file takes up whole pages.
PAGE = 4096
SIZE = 128 * PAGE


class SmallDisk:
    """A disk of 512 kB, mounted over a folder whose files nobody uses."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._filler = folder, folder / "filler"

    def mount(self) -> bool:
        """Mount the disk, which is empty; return whether this machine lets us."""
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self._folder)]
        return subprocess.run(mount, check=False, capture_output=True).returncode == 0

    def unmount(self) -> None:
        """Unmount the disk, whoever still uses it."""
        subprocess.run(["umount", "-l", str(self._folder)], check=True)

    def fill(self, *, pages: int = 0) -> None:
        """Fill the disk, and leave room for so many pages."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            file.truncate(file.tell() - pages * PAGE)

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()


def unmount_all(folder: Path) -> None:
    """Unmount each disk below `folder`, which a test that was killed has left."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if (at := line.split()[1]).startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", at], check=False)
