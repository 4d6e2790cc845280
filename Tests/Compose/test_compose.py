"""The story in containers: every host has its own address, real ports, and keeps its data when it restarts."""
import json
import poplib
import subprocess
import time

import requests
from conftest import IMAGE, ROOT
from readme import follow, recipes

HOST = "127.91.0.1"
TOKEN = "Authorization: Bearer compose-test"


def inside(compose, *command, check=True):
    return compose("exec", "-T", "cis.poly.edu", *command, check=check)


def eventually(question, wanted, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if wanted(answer):
            return answer
        assert time.monotonic() < deadline, f"not in {seconds} s: {answer}"
        time.sleep(0.5)


def letters(compose):
    return inside(
        compose, "curl", "-s", "-H", TOKEN, "http://10.91.20.1:8025/v1/mailboxes/bob@hamburger.edu/messages")


def test_names_are_found_from_cis(compose):
    answer = inside(compose, "dig", "+short", "gaia.cs.umass.edu")
    assert answer.strip(), "the world's resolver knows gaia.cs.umass.edu"
    exchange = inside(compose, "dig", "+short", "@10.91.12.1", "hamburger.edu", "MX")
    assert "mail.hamburger.edu." in exchange


def test_no_process_is_root_and_the_root_is_read_only(compose):
    for service in ["root", "hamburger", "resolver"]:
        assert compose("exec", "-T", service, "id", "-u").strip() == "1000"
        assert "Read-only" in compose("exec", "-T", service, "touch", "/usr/local/bin/x", check=False)


def test_a_letter_from_cis_reaches_bob_and_stays_through_restarts(compose):
    inside(
        compose, "swaks", "--server", "10.91.20.2:587", "--auth", "PLAIN", "--auth-user", "alice@crepes.fr",
        "--auth-password", "ketchup", "--from", "alice@crepes.fr", "--to", "bob@hamburger.edu",
        "--header", "Subject: from a container", "--body", "Do you like ketchup?")
    eventually(lambda: letters(compose), lambda text: "from a container" in text)

    compose("restart", "--timeout", "20", "hamburger", "crepes", "hosting", "resolver", "tld-edu")
    after = eventually(lambda: letters(compose), lambda text: "from a container" in text)
    assert after.count("from a container") == 1

    mailbox = poplib.POP3(HOST, 2110, timeout=20)
    mailbox.user("bob")
    mailbox.pass_("hungry")
    count, _ = mailbox.stat()
    assert any(b"Do you like ketchup?" in line for line in mailbox.retr(count)[1])
    mailbox.quit()


def test_the_commands_of_the_readme_print_what_it_says(compose, tmp_path):
    found = recipes(" compose")
    assert len(found) > 1

    def here(text):
        text = text.replace("docker compose", compose.tool).replace("127.0.0.1", HOST)
        return text.replace("10.77.", "10.91.").replace("open-sesame", "compose-test")

    for letter in json.loads(letters(compose))["items"]:
        inside(compose, "curl", "-sf", "-X", "DELETE", "-H", TOKEN,
               f"http://10.91.20.1:8025/v1/mailboxes/bob@hamburger.edu/messages/{letter['id']}")
    follow(found, here, tmp_path, cwd=ROOT, env=compose.environment)

    compose("restart", "--timeout", "20", "hosting", "registrar", "tld-generic", "resolver")
    eventually(lambda: inside(compose, "dig", "+short", "www.networkutopia.com", check=False), lambda text: "10.91.50.99" in text)
    domain = inside(compose, "curl", "-s", "-H", TOKEN, "http://10.91.13.1:8056/v1/domains/networkutopia.com", check=False)
    assert '"status":"active"' in domain, "what was registered stays"


def test_the_image_alone_is_a_world(compose, engine):
    name = "utopiatest_alone"
    subprocess.run(
        ["docker", "run", "--detach", "--rm", "--name", name, "--publish", f"{HOST}:18025:8025", IMAGE],
        env=engine, check=True, capture_output=True)
    try:
        eventually(
            lambda: subprocess.run(["docker", "exec", name, "utopia", "tour", "--data", "/data"], env=engine, capture_output=True,
                                   text=True),
            lambda done: done.returncode == 0)
        said = subprocess.run(["curl", "-s", "-u", "bob@hamburger.edu:hungry",
                               f"http://{HOST}:18025/v1/mailboxes/bob@hamburger.edu/messages"], capture_output=True, text=True)
        assert json.loads(said.stdout)["items"], "the letter of the tour, read through the door on 0.0.0.0"
    finally:
        subprocess.run(["docker", "stop", "--time", "20", name], env=engine, capture_output=True)


def test_what_dist_packs_is_a_world(compose, base, tmp_path):
    image = "utopia-test-dist"
    environment = dict(compose.environment, UTOPIA_IMAGE=image)

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    archive, packed_image = [ROOT / line for line in run(ROOT / "Tests" / "dist").splitlines() if line.startswith("dist/")]
    run("docker", "rmi", image)
    assert image in run("docker", "load", "--input", packed_image)
    assert "up" in run("docker", "run", "--rm", image, "--help")
    run("docker", "rmi", image)

    run("tar", "-xzf", archive)
    utopia = next(tmp_path.glob("*/bin/utopia"))
    run(utopia, "up", "--detach", "--net", "92", "--data", "world")
    try:
        assert "That was the tour." in run(utopia, "tour", "--data", "world")
        assert requests.get("http://127.92.0.1:8025/openapi.yaml", timeout=10).text.startswith("openapi: 3.1")
    finally:
        run(utopia, "down", "--data", "world")
