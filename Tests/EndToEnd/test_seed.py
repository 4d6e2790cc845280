"""With a seed two runs make up the same, as a test that compares them needs it."""
import re
import smtplib
import subprocess

from harness import Net, eventually, executable


def made_up(directory, *flags):
    """The ids of a letter by SMTP and of one by REST, on a new host."""
    net = Net(directory)
    try:
        service = net.mail("mail", 8025, "20.1", "hamburger.edu", None, [("bob@hamburger.edu", "hungry")], *flags)
        with smtplib.SMTP(net.at("20.1"), 2525) as session:
            session.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], "\r\nDo you like ketchup?\r\n")
        path = "/v1/mailboxes/bob@hamburger.edu/messages"
        service.ask("POST", path, json={"to": ["bob@hamburger.edu"], "subject": "Pickles", "text": "?"})
        letters = eventually(lambda: service.ask("GET", f"{path}?limit=10")["items"], lambda items: len(items) == 2)
        raws = [service.http.get(f"{service.url}{path}/{letter['id']}/raw", timeout=30).text for letter in letters]
        return sorted(re.findall(r"ESMTP id (\w+)|Message-ID: <\d+\.(\w+)@", "".join(raws)))
    finally:
        net.stop()


def test_the_same_seed_makes_up_the_same(tmp_path):
    one, two, other, none = (
        made_up(tmp_path / name, *flags)
        for name, flags in [("a", ["--seed", "7"]), ("b", ["--seed", "7"]), ("c", ["--seed", "8"]), ("d", [])])
    assert len(one) >= 3
    assert one == two
    assert one != other and one != none and other != none


def test_a_seed_is_for_a_lab(tmp_path):
    done = subprocess.run(
        [executable("utopia-resolver"), "--root-hint", "127.0.0.1", "--seed", "7"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 64 and "--lab" in done.stderr
