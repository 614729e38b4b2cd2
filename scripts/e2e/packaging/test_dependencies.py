"""The dependencies keep to deny.toml: licences, sources, and one version of each."""

import os
import shutil
import subprocess

import pytest

from muster import programs

VERSION = "0.20.2"


@pytest.mark.long("dependencies")
def test_dependencies_keep_to_deny_toml() -> None:
    tools = programs.directory().parent / "tools"
    path = f"{os.environ['PATH']}:{tools / 'bin'}"
    if not shutil.which("cargo-deny", path=path):
        # Compiling takes 5 minutes on two cores; the check itself 3 s.
        install = ["cargo", "install", "--locked", "--quiet", "--root", str(tools), f"cargo-deny@{VERSION}"]
        subprocess.run(install, check=True)
    check = "cargo deny --locked check bans licenses sources"
    subprocess.run(check.split(), cwd=programs.ROOT, env={**os.environ, "PATH": path}, check=True)
