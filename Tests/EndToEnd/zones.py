"""The slides' corner of the name space, small: root, edu, umass and the two mail domains."""

SOA = "$TTL 300\n@ SOA dns.example. host.example. 1 1800 900 604800 60\n"

ROOT = SOA + "".join(
    f"@ NS {letter}.root-servers.net.\n{letter}.root-servers.net. A 127.N.9.{number}\n"
    for number, letter in enumerate("abcdefghijklm", 1)) + """
edu NS a.edu-servers.net.
fr NS a.edu-servers.net.
a.edu-servers.net. A 127.N.10.2
"""
EDU = SOA + """
@ NS a.edu-servers.net.
umass NS dns.umass
dns.umass A 127.N.11.1
hamburger NS dns1.hamburger
dns1.hamburger A 127.N.11.1
"""
FR = SOA + """
@ NS a.edu-servers.net.
crepes NS dns1.crepes
dns1.crepes A 127.N.11.1
"""
UMASS = SOA + """
@ NS dns
dns A 127.N.11.1
cs NS dns.cs
dns.cs A 127.N.11.2
"""
CS = SOA + """
@ NS dns
dns A 127.N.11.2
gaia A 127.N.50.13
"""
HAMBURGER = SOA + """
@ NS dns1
dns1 A 127.N.11.1
@ MX 10 mail
mail A 127.N.20.1
"""
CREPES = SOA + """
@ NS dns1
dns1 A 127.N.11.1
@ MX 10 mail
mail A 127.N.20.2
"""


def tree(net):
    """Starts the servers: three of the thirteen roots live, the other ten are dead. Returns the resolver."""
    net.nameserver("root", 8050, {".": ROOT}, "9.3", "9.7", "9.13")
    net.nameserver("tld", 8052, {"edu.": EDU, "fr.": FR}, "10.2")
    net.nameserver(
        "hosting", 8054, {"umass.edu.": UMASS, "hamburger.edu.": HAMBURGER, "crepes.fr.": CREPES}, "11.1")
    net.nameserver("cs", 8057, {"cs.umass.edu.": CS}, "11.2")
    return net.resolver("resolver", 8055, "12.1", [f"9.{number}" for number in range(1, 14)])
