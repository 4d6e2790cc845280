"""The same zones in the name server and in NSD: every answer says the same."""
import shutil
import socket
import subprocess

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest
from harness import eventually

SOA = "$TTL 3600\n@ 3600 IN SOA ns.invalid. admin.invalid. 1 7200 600 86400 300\n"
ZONES = {
    ".": SOA + """
@ NS a.root.
a.root. A 198.41.0.4
com NS ns1.nic.com.
com NS ns.elsewhere.net.
ns1.nic.com. A 192.5.6.30
ns1.nic.com. AAAA 2001:503::30
net NS ns.elsewhere.net.
org NS ns.elsewhere.net.
test NS ns.elsewhere.net.
ns.elsewhere.net. A 192.5.6.31
lost NS ns.nowhere.lost.
text TXT "at the top"
""",
    "example.org.": SOA + r"""
@ NS ns1
@ NS ns.other.example.
@ MX 10 mail
@ MX 20 mx.other.example.
@ MX 30 mail
@ TXT "v=spf1 -all"
@ CAA 0 issue "ca.example.net"
ns1 A 192.0.2.1
mail A 192.0.2.2
mail AAAA 2001:db8::2
host A 192.0.2.3
host A 192.0.2.4
; empty non-terminals, RFC 8020
a.deep.tree TXT "leaf"
; wildcards, RFC 4592
*.deep.wild TXT "w"
*.wild A 192.0.2.77
*.wild MX 5 mail
x.y.wild A 192.0.2.78
sub.*.wild TXT "not a wildcard"
*.cw CNAME host
*.cd CNAME x.old
*.loop CNAME a.loop
; delegations: glue, sibling glue, glue elsewhere, no glue, occluded data
sub NS ns.sub
sub NS ns2.sib
sub DS 1 8 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
ns.sub A 192.0.2.10
deep.ns.sub A 192.0.2.12
sib NS ns2.sib
ns2.sib A 192.0.2.11
self NS self
self A 192.0.2.13
netsub NS x.example.net.
netsub NS y.glue.example.net.
noglue NS ns.nowhere.test.
*.wns NS ns1
occluded NS ns.occluded
ns.occluded A 192.0.2.15
below.occluded TXT "never seen"
; aliases, within the zone, to another, and in circles
www CNAME host
chain CNAME www
out CNAME www.example.com.
far CNAME x.example.net.
gone CNAME nothing
fargone CNAME nothing.deep.example.net.
intosub CNAME x.sub
tosub CNAME sub
loop1 CNAME loop2
loop2 CNAME loop1
selfish CNAME selfish
towild CNAME any.wild
; DNAME, RFC 6672
old DNAME new
old TXT "beside"
h.new A 192.0.2.20
c.new CNAME h.new
*.new2 A 192.0.2.21
old2 DNAME new2
swap DNAME example.net.
circle1 DNAME circle2
circle2 DNAME circle1
todname CNAME h.old
intocut DNAME sub
; every type, and hosts named in data
_sip._tcp SRV 1 2 5060 host
_far._tcp SRV 1 2 5060 x.example.net.
_none._tcp SRV 0 0 0 .
_cut._tcp SRV 1 2 5060 h.sub
_wild._tcp SRV 1 2 5060 any.wild
_alias._tcp SRV 1 2 5060 www
_dname._tcp SRV 1 2 5060 h.old
mxsub MX 10 ns.sub
mxfar MX 10 x.example.net.
nullmx MX 0 .
ptr PTR host
naptr NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .
rp RP a.b. c.d.
afsdb AFSDB 1 host
sshfp SSHFP 2 1 123456789abcdef67890123456789abcdef67890
tlsa TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971
hinfo HINFO "PC" "Linux"
uri URI 10 1 "ftp://a/b"
unknown TYPE731 \# 6 abcdef012345
escaped\.dot.\000\255 TXT "\"quoted\" \\ \007"
many A 192.0.2.1
""" + "".join(f"many A 192.0.2.{number}\n" for number in range(2, 61)),
    "example.net.": SOA + """
@ NS ns
ns A 198.51.100.53
x A 198.51.100.1
x AAAA 2001:db8:1::1
a.deep TXT "d"
glue NS y.glue
y.glue A 198.51.100.7
back CNAME host.example.org.
child NS ns.child
ns.child A 198.51.100.60
""",
    # Served beside its parent.
    "child.example.net.": SOA + "@ NS ns\nns A 198.51.100.60\nwww A 198.51.100.61\n",
}
# ANY is not among them: which RRset it gives is for each server to choose (RFC 8482 §4.1).
TYPES = "A AAAA NS CNAME SOA MX TXT SRV DNAME DS PTR CAA NAPTR TYPE731 TYPE65280".split()


@pytest.fixture(scope="module")
def servers(shared_net):
    """The addresses of the two servers."""
    if not shutil.which("nsd"):
        pytest.skip("NSD is not installed")
    shared_net.nameserver("ours", 8050, ZONES, "9.1")
    directory = shared_net.directory / "nsd"
    directory.mkdir()
    zones = ""
    for number, (name, text) in enumerate(ZONES.items()):
        (directory / f"{number}.zone").write_text(text)
        zones += f'zone:\n  name: "{name}"\n  zonefile: "{number}.zone"\n'
    (directory / "nsd.conf").write_text(f"""
server:
  ip-address: {shared_net.at('9.2')}@5300
  server-count: 1
  username: ""
  zonesdir: "{directory}"
  pidfile: "{directory}/pid"
  zonelistfile: "{directory}/list"
  xfrdfile: "{directory}/xfrd"
  logfile: "{directory}/log"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
{zones}""")
    process = subprocess.Popen(["nsd", "-d", "-c", directory / "nsd.conf"], stdin=subprocess.DEVNULL)

    def answers():
        assert process.poll() is None, (directory / "log").read_text()
        try:
            return ask(shared_net.at("9.2"), dns.message.make_query("example.org.", "SOA")).answer
        except (OSError, dns.exception.DNSException):
            return None

    eventually(answers)
    yield shared_net.at("9.1"), shared_net.at("9.2")
    process.terminate()
    process.wait()


def ask(server, query, way=dns.query.udp):
    return way(query, server, port=5300, timeout=10)


def names():
    """Every name of the zones, those between it and the root, and some below it that exist or don't."""
    found = set()
    for origin, text in ZONES.items():
        for name in dns.zone.from_text(text, origin=origin, relativize=False, check_origin=False).nodes:
            while name != dns.name.root:
                found |= {name, *(dns.name.from_text(label, origin=name) for label in ["x", "*", "x.y"])}
                name = name.parent()
    return sorted(found | {dns.name.root})


def records(section):
    return {f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {data}" for rrset in section for data in rrset}


def meaning(response):
    """What a resolver makes of a response. A zone's own NS records beside an answer are a courtesy that only NSD does."""
    authority = {record for record in records(response.authority) if record.split()[0] not in ZONES or " NS " not in record}
    return dns.rcode.to_text(response.rcode()), dns.flags.to_text(response.flags), records(response.answer), authority


def hosts(response):
    """The addresses that belong to what is said: NSD's courtesy has some, too."""
    named = {
        str(getattr(data, "target", getattr(data, "exchange", None))).lower() for section in [
            response.answer, [] if response.answer else response.authority] for rrset in section for data in rrset}
    return {record for record in records(response.additional) if record.split()[0].lower() in named}


@pytest.mark.parametrize("way", [dns.query.udp, dns.query.tcp], ids=["udp", "tcp"])
def test_every_answer_is_that_of_nsd(servers, way):
    ours, theirs = servers
    different, asked, referred = [], 0, 0
    for name in names():
        for kind in TYPES:
            query = dns.message.make_query(name, kind, use_edns=0, payload=1232, flags=0)
            mine, reference = ask(ours, query, way), ask(theirs, query, way)
            asked += 1
            referred += not mine.flags & dns.flags.AA
            # More addresses than NSD's are right: it looks into the one zone only (RFC 1034 §4.3.2 step 3.b).
            if meaning(mine) != meaning(reference) or not hosts(reference) <= hosts(mine):
                different.append(f"{name} {kind}\n--- ours\n{mine}\n--- NSD\n{reference}\n")
    assert not different, f"{len(different)} of {asked}:\n" + "\n".join(different[:5])
    assert asked > 4000 and referred > 500


def test_what_does_not_fit_is_truncated_alike(servers):
    for size in [None, 512, 700, 1232, 4096]:
        query = dns.message.make_query("many.example.org.", "A", use_edns=size is not None, payload=size or 0, flags=0)
        mine, reference = (ask(server, query) for server in servers)
        assert mine.flags == reference.flags, size


def test_queries_of_every_form_are_met_alike(servers):
    """Header and response code, where the RFCs leave no choice."""
    question = b"\x04host\x07example\x03org\x00\x00\x01\x00\x01"
    forms = {
        "a response": (b"\x80\x00\x00\x01" + bytes(6) + question),
        "STATUS": (b"\x10\x00\x00\x01" + bytes(6) + question),
        "opcode 15": (b"\x78\x00\x00\x01" + bytes(6) + question),
        "no question": bytes(10),
        "two questions": (b"\x00\x00\x00\x02" + bytes(6) + question * 2),
        "half a question": (b"\x00\x00\x00\x01" + bytes(6) + question[:9]),
        "a pointer to itself": (b"\x00\x00\x00\x01" + bytes(6) + b"\xc0\x0c\x00\x01\x00\x01"),
        "a label of 64": (b"\x00\x00\x00\x01" + bytes(6) + bytes([64]) + b"a" * 64 + b"\x00\x00\x01\x00\x01"),
        "a name of 256": (b"\x00\x00\x00\x01" + bytes(6) + (b"\x3f" + b"a" * 63) * 4 + b"\x00\x00\x01\x00\x01"),
        "class ANY": (b"\x00\x00\x00\x01" + bytes(6) + question[:-1] + b"\xff"),
        "class NONE": (b"\x00\x00\x00\x01" + bytes(6) + question[:-1] + b"\xfe"),
        "every flag": (b"\x07\xf0\x00\x01" + bytes(6) + question),
        "EDNS 1": (b"\x00\x00\x00\x01" + bytes(5) + b"\x01" + question + b"\x00\x00\x29\x04\xd0\x00\x01" + bytes(4)),
        "two OPT": (b"\x00\x00\x00\x01" + bytes(5) + b"\x02" + question + (b"\x00\x00\x29\x04\xd0" + bytes(6)) * 2),
        "a broken option": (
            b"\x00\x00\x00\x01" + bytes(5) + b"\x01" + question + b"\x00\x00\x29\x04\xd0" + bytes(4)
            + b"\x00\x05\x00\x0a\x00\x05a"),
    }

    def first_octets(server, octets):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.settimeout(1)
            door.sendto(b"\x12\x34" + octets, (server, 5300))
            try:
                return door.recv(4096)[:4]
            except TimeoutError:
                return None

    for form, octets in forms.items():
        mine, reference = (first_octets(server, octets) for server in servers)
        assert mine == reference, form
