"""The load generator as a container of the cluster's project, beside its proxy."""

import subprocess
from collections.abc import Callable

from muster import process, programs, wait
from muster.cluster.project import Project

# What must not happen, whatever is done to the cluster.
LEDGER = "lost==0,dup_app==0,reorder_app==0,never_recovered==0"
# What must not happen either while nobody is to notice anything.
UNNOTICED = f"{LEDGER},refused==0,indeterminate==0,failed_attempts==0"


class ContainerLoad:
    """So many terminals and their operator, from the moment this is made. All have been online once it is made.

    `slo` is what `judge` demands. The log is `load.log`, the report `report.json`.
    """

    def __init__(self, project: Project, terminals: int, flags: tuple[str, ...], slo: str) -> None:
        self._log = project.directory / "load.log"
        run = project.command("run", "--rm", "--no-deps", "-T", "loadgen", "--terminals", str(terminals))
        command = [*run, "--ramp", "3s", "--allow-busy", "--no-tui", "--slo", slo, *flags]
        self.process = process.launch(
            project.directory, "load", ["env", "-C", programs.ROOT, *command], env=project.environment()
        )
        wait.until(lambda: int(project.api.get("/v1/fleet")["online"]), lambda online: online >= terminals, within=60)

    def under_way(self) -> bool:
        """Return whether the generator still runs."""
        return self.process.poll() is None

    def finish(self, within: float = 180) -> int:
        """Wait until the generator has ended, and return its exit code."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the generator still runs after {within:g} s:\n{self._tail()}") from None

    def judge(self) -> None:
        """Wait until the generator has ended; demand that all of `slo` held."""
        assert self.finish() == 0, self._tail()

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-45:])

    def end(self) -> None:
        """Kill the command. Its container ends with the project."""
        self.process.kill()
        self.process.wait(process.PATIENCE)


# `play(300, "--for", "30s")` of the tests of compose/.
PlayFactory = Callable[..., ContainerLoad]
