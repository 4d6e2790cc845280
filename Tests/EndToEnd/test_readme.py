"""Every command in the README does what it says there, and prints what is printed there."""
import os
import re
import shutil
import subprocess

from harness import ROOT, free_net

#: What differs from run to run: when it happened, what was made up at random, and what follows from either.
CHANGING = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "DATE"),
    (r"\bid \w{11,14}\b", "id ID"),
    (r"<\d+\.\w+@", "<ID@"),
    (r"-{24,}\w{16}", "BOUNDARY"),
    (r"from \S+ \(\[127\.\d+\.0\.1\]\)", "from CLIENT"),
    (r"SIZE=\d+$|the letter, \d+ octets", "SIZE"),
    (r"\b20\d{8}\b", "SERIAL"),
    (r"\s\d+\s+IN\s", " TTL IN "),
    (r"\.(9|11)\.\d+:5300", r".\1.ANY:5300"),
    (r" --(net \d+|data \.utopia-\d+)", ""),
]


def recipes():
    """The README's ```sh blocks in order, each with the ```text block that follows it, if one does."""
    text = (ROOT / "README.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", text, re.MULTILINE | re.DOTALL)


def moved(text, world, second, scratch):
    """The same in other worlds and folders, so that the test disturbs nobody who has a world of his own running."""
    text = text.replace("127.7.", f"127.{second}.").replace("--net 7", f"--net {second}").replace(".utopia-7", f".utopia-{second}")
    text = re.sub(r"utopia (up|down|reset|clock \S+)(?! --net)(?=\s|$)", rf"utopia \1 --net {world}", text, flags=re.MULTILINE)
    text = re.sub(r"\.utopia(?![-\w])", f".utopia-{world}", text)
    text = text.replace("world 0", f"world {world}").replace("127.0.", f"127.{world}.")
    return text.replace("/tmp/", f"{scratch}/")


def steady(text):
    """Without what differs from run to run, blanks and blank lines."""
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in text.strip().splitlines() if line.strip()]


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
    script = "set -eo pipefail\n"
    for number, (commands, _) in enumerate(found):
        script += f"exec > {tmp_path}/said-{number} 2>&1\n{moved(commands, world, second, tmp_path)}"
    try:
        done = subprocess.run(
            ["bash", "-c", script], cwd=clone, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
            env=dict(os.environ, no_proxy="*"))
        said = [path.read_text() if path.exists() else "" for path in
                (tmp_path / f"said-{number}" for number in range(len(found)))]
        assert done.returncode == 0, "\n".join(said)[-4000:] + done.stderr
        for (commands, wanted), output in zip(found, said):
            if wanted:
                assert steady(output) == steady(moved(wanted, world, second, tmp_path)), commands
    finally:
        # Where a command failed, the worlds that earlier ones started must still end.
        for number in [world, second]:
            subprocess.run(
                [clone / ".build/release/utopia", "down", "--net", str(number)], cwd=clone, capture_output=True, timeout=60)
