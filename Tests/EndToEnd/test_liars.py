"""The resolver asks name servers that lie: it believes nothing they may not say, and its work for a question is bounded."""
import itertools

import dns.message
import dns.query
import dns.rcode
import pytest
from liar import Liar, answer

#: Upstream queries one client query may cost.
BUDGET = 50


@pytest.fixture(scope="module")
def liars(shared_net):
    at = shared_net.at
    counter = itertools.count()

    def root(query, name):
        for zone, place in [("evil.", "9.2"), ("bank.", "9.3")]:
            if name.endswith(zone):
                return [answer(query, (), [(zone, "NS", f"ns.{zone}")], [(f"ns.{zone}", "A", at(place))], False)]
        if name == ".":
            return [answer(query, [(".", "NS", "a.root-servers.net.")], (), [("a.root-servers.net.", "A", at("9.1"))])]
        return [answer(query, rcode=dns.rcode.NXDOMAIN)]

    def bank(query, name):
        return [answer(query, [(name, "A", "192.0.2.1")])]

    def evil(query, name):
        honest = answer(query, [(name, "A", "192.0.2.66")])
        labels = name.split(".")
        if name.startswith("poison"):
            lies = [("www.bank.", "A", "192.0.2.6")]
            return [answer(query, [(name, "A", "192.0.2.66"), *lies], [("bank.", "NS", "ns.evil.")],
                           [("ns.bank.", "A", at("9.2")), *lies])]
        if name.endswith("deeper.evil."):
            # Every referral is one label longer than the last, and none has an address.
            depth = next(counter)
            return [answer(query, (), [(".".join(labels[-3 - depth % 7:]), "NS", f"n{depth}.deeper.evil.")], (), False)]
        if "maze" in labels:
            return [answer(query, (), [("maze.evil.", "NS", f"n{number}.x{next(counter)}.maze.evil.")
                                       for number in range(30)], (), False)]
        if name.startswith("ping.") or name.startswith("pong."):
            other = "pong.evil." if name.startswith("ping.") else "ping.evil."
            return [answer(query, [(name, "CNAME", other)])]
        if "chain" in labels:
            number = int(labels[0][1:])
            return [answer(query, [(name, "CNAME", f"c{number + 1}.chain.evil.")])]
        if name.startswith("wrong-id"):
            false = answer(query, [(name, "A", "192.0.2.6")])
            false.id = query.id ^ 1
            return [false, honest]
        if name.startswith("wrong-port"):
            return [("stranger", answer(query, [(name, "A", "192.0.2.6")]).to_wire()), honest]
        if name.startswith("wrong-question"):
            other = dns.message.make_query("other.evil.", "A")
            other.id = query.id
            return [answer(other, [("other.evil.", "A", "192.0.2.6")]), honest]
        if name.startswith("garbage"):
            return [b"", b"\0" * 11, bytes([query.id >> 8, query.id & 255 ^ 1]) + b"\x84\0\0\1\0\1\0\0\0\0\xc0\x0c", honest]
        return [honest]

    servers = [Liar(at("9.1"), root), Liar(at("9.2"), evil), Liar(at("9.3"), bank)]
    shared_net.resolver("resolver", 8055, "12.1", ["9.1"])
    yield {"root": servers[0], "evil": servers[1], "bank": servers[2]}
    for server in servers:
        server.stop()


def ask(net, name):
    query = dns.message.make_query(name, "A")
    return dns.query.udp(query, net.at("12.1"), 30, 5300)


def addresses(response):
    return sorted(item.address for rrset in response.answer if rrset.rdtype == 1 for item in rrset)


def test_records_out_of_bailiwick_are_not_believed(liars, shared_net):
    assert addresses(ask(shared_net, "poison.evil.")) == ["192.0.2.66"]
    assert addresses(ask(shared_net, "www.bank.")) == ["192.0.2.1"]
    assert "www.bank." in liars["bank"].asked, "bank's own server was asked"


@pytest.mark.parametrize("kind", ["wrong-id", "wrong-port", "wrong-question", "garbage"])
def test_only_the_answer_to_the_question_asked_counts(liars, shared_net, kind):
    assert addresses(ask(shared_net, f"{kind}.evil.")) == ["192.0.2.66"]


@pytest.mark.parametrize("name", ["ping.evil.", "c0.chain.evil.", "a.maze.evil.", "a.b.c.d.e.f.g.deeper.evil."])
def test_endless_work_is_refused_within_the_budget(liars, shared_net, name):
    before = sum(len(server.asked) for server in liars.values())
    response = ask(shared_net, name)
    assert response.rcode() == dns.rcode.SERVFAIL
    spent = sum(len(server.asked) for server in liars.values()) - before
    assert spent <= BUDGET, f"{spent} upstream queries"
    assert addresses(ask(shared_net, "honest.evil.")) == ["192.0.2.66"], "the resolver goes on"
