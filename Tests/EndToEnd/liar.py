"""Name servers that lie, on UDP, for tests of the resolver."""
import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


def answer(query, answers=(), authority=(), additional=(), authoritative=True, rcode=dns.rcode.NOERROR):
    """A response to a query; records are (name, type, data)."""
    response = dns.message.make_response(query)
    if authoritative:
        response.flags |= dns.flags.AA
    response.set_rcode(rcode)
    for section, records in [
        (response.answer, answers), (response.authority, authority), (response.additional, additional),
    ]:
        for name, kind, data in records:
            section.append(dns.rrset.from_text(name, 300, "IN", kind, data))
    return response


class Liar:
    """Answers each query with what `behave(query, name)` gives: messages, octets or (octets, port) to send in order."""

    def __init__(self, address, behave):
        self.behave = behave
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 5300))
        self.stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.stranger.bind((address, 0))
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while True:
            try:
                octets, client = self.socket.recvfrom(4096)
            except OSError:
                return
            try:
                query = dns.message.from_wire(octets)
            except dns.exception.DNSException:
                continue
            name = query.question[0].name.to_text().lower()
            self.asked.append(name)
            for message in self.behave(query, name) or []:
                if isinstance(message, tuple):
                    self.stranger.sendto(message[1], client)
                else:
                    octets = message if isinstance(message, bytes) else message.to_wire()
                    self.socket.sendto(octets, client)

    def stop(self):
        # shutdown wakes the thread that waits in recvfrom, which close alone does not.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.stranger.close()
