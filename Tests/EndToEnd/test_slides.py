"""The dialogues of the slides, word for word."""
import poplib

import pytest
from harness import eventually
from smtp import Line


@pytest.fixture(scope="module")
def bob(shared_net):
    return shared_net.mail("hamburger", 8025, "20.1", "hamburger.edu", None, [("bob@hamburger.edu", "hungry")])


def deliver(net, *letter):
    """Sends a letter as the slides do; its lines must need no stuffing."""
    line = Line(net.at("20.1"), 2525)
    assert line.reply().startswith("220 ")
    assert line.ask("HELO crepes.fr").startswith("250 ")
    assert line.ask("MAIL FROM: <alice@crepes.fr>").startswith("250 ")
    assert line.ask("RCPT TO: <bob@hamburger.edu>").startswith("250 ")
    assert line.ask("DATA").startswith("354 ")
    for text in letter:
        line.say(text)
    assert line.ask(".").startswith("250 ")
    assert line.ask("QUIT").startswith("221 ")
    assert line.read() == "", "the server closes after QUIT"
    line.close()


def login(net):
    mailbox = poplib.POP3(net.at("20.1"), 2110, timeout=30)
    mailbox.user("bob")
    mailbox.pass_("hungry")
    return mailbox


def sizes(net):
    mailbox = login(net)
    listed = [int(entry.split()[1]) for entry in mailbox.list()[1]]
    mailbox.quit()
    return listed


def clear(net):
    mailbox = login(net)
    for number in range(1, mailbox.stat()[0] + 1):
        mailbox.dele(number)
    mailbox.quit()


def deliver_of_size(net, wanted):
    """Delivers a letter that has this size in the mailbox, the server's own fields included: theirs is seen, not guessed."""
    head = ["From: alice@crepes.fr", "Date: Mon, 23 Nov 2026 11:00:00 +0000", "Message-ID: <1@crepes.fr>", ""]
    filling = 60
    for _ in range(50):
        deliver(net, *head, "x" * filling)
        size = sizes(net)[-1]
        if size == wanted:
            return
        mailbox = login(net)
        mailbox.dele(mailbox.stat()[0])
        mailbox.quit()
        # A Received field is an octet longer or shorter at times, by the digits of what it names.
        filling += wanted - size
    raise AssertionError(f"no letter of {wanted} octets came out")


def test_a_letter_without_headers_is_taken_and_given_some(bob, shared_net):
    deliver(shared_net, "Do you like ketchup?", "How about pickles?")
    mailbox = login(shared_net)
    count, _ = mailbox.stat()
    text = [line.decode() for line in mailbox.retr(count)[1]]
    assert text[text.index("") + 1:] == ["Do you like ketchup?", "How about pickles?"]
    head = "\n".join(text[: text.index("")])
    for field in ["Return-Path: <alice@crepes.fr>", "Received: ", "Date: ", "From: ", "Message-ID: "]:
        assert f"\n{field}".lower() in f"\n{head}".lower()
    mailbox.quit()
    clear(shared_net)


def test_the_pop3_session_of_the_slides(bob, shared_net):
    for wanted in [498, 912]:
        deliver_of_size(shared_net, wanted)

    line = Line(shared_net.at("20.1"), 2110)

    def ask(word):
        line.say(word)
        return line.read()

    assert line.read() == "+OK POP3 server ready"
    assert ask("user bob").startswith("+OK")
    assert ask("pass hungry") == "+OK user successfully logged on"
    assert ask("list").startswith("+OK")
    assert line.lines() == ["1 498", "2 912"]
    for number, size in [(1, 498), (2, 912)]:
        assert ask(f"retr {number}").startswith("+OK")
        assert sum(len(text) + 2 for text in line.lines()) == size
        assert ask(f"dele {number}").startswith("+OK")
    assert ask("quit") == "+OK POP3 server signing off"
    line.close()
    assert sizes(shared_net) == []


def test_a_bad_recipient_does_not_spoil_the_good_one(bob, shared_net):
    line = Line(shared_net.at("20.1"), 2525)
    line.reply()
    assert "PIPELINING" in line.ask("EHLO cis.poly.edu")
    assert line.ask("MAIL FROM:<alice@crepes.fr>").startswith("250 ")
    assert line.ask("RCPT TO:<nobody@hamburger.edu>").startswith("550 ")
    assert line.ask("RCPT TO:<stranger@example.com>").startswith("550 5.7.1 ")
    assert line.ask("RCPT TO:<bob@hamburger.edu>").startswith("250 ")
    assert line.ask("DATA").startswith("354 ")
    line.say("Subject: two of three")
    line.say("")
    assert line.ask(".").startswith("250 ")
    line.ask("QUIT")
    line.close()
    eventually(lambda: [
        item for item in bob.ask("GET", "/v1/mailboxes/bob@hamburger.edu/messages")["items"]
        if item["subject"] == "two of three"])


def test_a_bare_line_feed_is_refused_with_help(bob, shared_net):
    line = Line(shared_net.at("20.1"), 2525)
    line.reply()
    line.ask("EHLO cis.poly.edu")
    line.ask("MAIL FROM:<alice@crepes.fr>")
    line.ask("RCPT TO:<bob@hamburger.edu>")
    assert line.ask("DATA").startswith("354 ")
    line.socket.sendall(b"a\n.\nMAIL FROM:<smuggled@example.com>\r\n.\r\n")
    assert line.reply().startswith("500 5.5.2 lines end in CRLF")
    line.close()
