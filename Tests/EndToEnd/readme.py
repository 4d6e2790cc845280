"""The README's recipes: their commands, what they are said to print, and what of that changes from run to run."""
import pathlib
import re
import subprocess

#: What differs from run to run: when it happened, what was made up at random, and what follows from either.
CHANGING = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "DATE"),
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


def recipes(mark=""):
    """The README's ```sh blocks with this mark, in order, each with the ```text block that follows it, if one does."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()
    return re.findall(rf"^```sh{mark}\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", text, re.MULTILINE | re.DOTALL)


def steady(text):
    """Without what differs from run to run, blanks and blank lines."""
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in text.strip().splitlines() if line.strip()]


def follow(found, change, scratch, **options):
    """Runs the recipes in one shell, `change` applied to their text, and compares what each prints with what it is said to."""
    script = "set -eo pipefail\n" + "".join(
        f"exec > {scratch}/said-{number} 2>&1\n{change(commands)}" for number, (commands, _) in enumerate(found))
    done = subprocess.run(
        ["bash", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, **options)
    said = [path.read_text() if path.exists() else ""
            for path in (scratch / f"said-{number}" for number in range(len(found)))]
    assert done.returncode == 0, "\n".join(said)[-4000:] + done.stderr
    for (commands, wanted), output in zip(found, said):
        if wanted:
            assert steady(output) == steady(change(wanted)), commands
