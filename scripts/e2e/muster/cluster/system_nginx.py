"""An Nginx that the system runs, with a configuration of its own: the sidecar only signals it."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress

from muster import process, wait
from muster.cluster.sidecar import Sidecar


class SystemNginx:
    """A daemon of Nginx that includes the configuration of the sidecar, which is told of its pid file."""

    def __init__(self, proxy: Sidecar) -> None:
        self.proxy, self._folder = proxy, proxy.cluster.directory
        self.pid_file, self.old_pid_file = self._folder / "system.pid", self._folder / "system.pid.oldbin"
        if proxy.cluster.runs(proxy.name):
            proxy.end()
        self.configure()
        self.start()
        proxy.set_flags(f"--signal {self.pid_file}")
        proxy.cluster.start(proxy.name)

    def configure(self, more: str = "") -> None:
        """Write the configuration, with `more` in its http block."""
        include = f"include {self.proxy.folder}/current/http*.conf;"
        text = f"pid {self.pid_file};\nerror_log {self._folder}/system.log warn;\nevents {{}}\n"
        text += f"http {{ access_log off; {include} {more} }}\n"
        (self._folder / "system.conf").write_text(text)

    def start(self) -> None:
        """Start the daemon, and wait until it runs."""
        # With its whole path, since it starts its successor by the name by which it was started.
        program = shutil.which("nginx") or "nginx"
        subprocess.run(
            [program, "-c", self._folder / "system.conf", "-e", self._folder / "system.log"],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        wait.until(lambda: self.pid_file.exists() and self.pid_file.read_text())

    def pid(self) -> int:
        """Return the id of the master."""
        return int(self.pid_file.read_text())

    def upgrade(self) -> None:
        """Have the master start another one beside it, which is how Nginx's program is replaced; wait until it has."""
        os.kill(self.pid(), signal.SIGUSR2)
        wait.until(lambda: self.old_pid_file.exists() and self.pid_file.exists() and self.pid_file.read_text())

    def retire_old(self) -> None:
        """Tell the master of before the upgrade to quit once its sessions have ended."""
        os.kill(int(self.old_pid_file.read_text()), signal.SIGQUIT)

    def end(self) -> None:
        """Stop the daemon, and wait until it has ended."""
        pid = self.pid()
        os.kill(pid, signal.SIGTERM)
        assert process.gone(pid)

    def down(self) -> None:
        """End whatever of it still runs."""
        for file in (self.pid_file, self.old_pid_file):
            with suppress(OSError, ValueError):
                os.kill(int(file.read_text()), signal.SIGTERM)
