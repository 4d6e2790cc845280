"""Every command in the README does what it says there, and prints what is printed there."""
import os
import re
import shutil
import subprocess

from harness import ROOT, free_net
from readme import follow, recipes


def moved(text, world, second, scratch):
    """The same in other worlds and folders, so that the test disturbs nobody who has a world of his own running."""
    text = text.replace("127.7.", f"127.{second}.").replace("--net 7", f"--net {second}").replace(".utopia-7", f".utopia-{second}")
    text = re.sub(r"utopia (up|down|reset|clock \S+)(?! --net)(?=\s|$)", rf"utopia \1 --net {world}", text, flags=re.MULTILINE)
    text = re.sub(r"\.utopia(?![-\w])", f".utopia-{world}", text)
    text = text.replace("world 0", f"world {world}").replace("127.0.", f"127.{world}.")
    return text.replace("/tmp/", f"{scratch}/")


def test_the_commands_of_the_readme_print_what_it_says(tmp_path):
    found = recipes()
    assert len(found) > 8 and sum(bool(said) for _, said in found) > 6
    world, second = free_net(), free_net()
    while second == world:
        second = free_net()
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ["Makefile", "compose.yaml", "Tests", "openapi", "Package.swift"]:
        (clone / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / ".build" / "release", clone / ".build" / "release", symlinks=True,
                    ignore=lambda folder, names: [name for name in names if not name.startswith("utopia")])
    try:
        follow(found, lambda text: moved(text, world, second, tmp_path), tmp_path, cwd=clone, env=dict(os.environ, no_proxy="*"))
    finally:
        # Where a command failed, the worlds that earlier ones started must still end.
        for number in [world, second]:
            subprocess.run(
                [clone / ".build/release/utopia", "down", "--net", str(number)], cwd=clone, capture_output=True, timeout=60)
