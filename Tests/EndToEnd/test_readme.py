"""Every command in the README does what a stranger will expect of it: it works."""
import os
import re
import shutil
import subprocess

import pytest
from harness import ROOT


def blocks():
    """The README's ```sh blocks, in order; each is one test's worth of commands."""
    text = (ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else ""
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_readme_work(tmp_path):
    found = blocks()
    if not found:
        pytest.skip("the README has no ```sh block")
    world = tmp_path / "clone"
    world.mkdir()
    for name in ["Makefile", "compose.yaml", "Tests", "openapi", "Package.swift"]:
        if (ROOT / name).exists():
            (world / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / ".build" / "release", world / ".build" / "release", symlinks=True,
                    ignore=lambda folder, names: [name for name in names if not name.startswith("utopia")])
    assert len(found) > 5
    try:
        done = subprocess.run(
            ["bash", "-c", "set -e\n" + "\n".join(found)], cwd=world, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=600, env=dict(os.environ, no_proxy="*"))
        assert done.returncode == 0, done.stdout[-4000:]
    finally:
        # Where a command failed, the world that an earlier one started must still end.
        subprocess.run([world / ".build/release/utopia", "down"], cwd=world, capture_output=True, timeout=60)
