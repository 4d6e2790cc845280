"""The HTTP server as a library: the example answers."""
import socket
import subprocess

import requests
from harness import eventually, executable


def test_the_example_answers():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([executable("Hello"), str(port)], stdout=subprocess.DEVNULL)
    http = requests.Session()
    http.trust_env = False
    url = f"http://127.0.0.1:{port}"

    def greeting():
        try:
            return http.get(f"{url}/hello/Alice", timeout=5).text
        except requests.ConnectionError:
            return None

    try:
        assert eventually(greeting) == "Hello, Alice.\n"
        # A body of unknown length goes in chunks, and is read as it comes.
        assert http.post(f"{url}/count", data=iter([b"x" * 70_000, b"y"]), timeout=30).text == "70001 octets\n"
    finally:
        process.terminate()
        process.wait(10)
