"""A client that says lines and shows replies: what a person does with telnet."""
import socket


class Line:
    def __init__(self, host, port, source=None):
        self.socket = socket.create_connection((host, port), 30, (source, 0) if source else None)
        self.file = self.socket.makefile("rb")

    def read(self):
        """One line without its end; empty when the peer closed."""
        return self.file.readline().decode("latin-1").rstrip("\r\n")

    def reply(self):
        """One SMTP reply, all its lines; ConnectionError when the peer closed."""
        lines = []
        while not lines or lines[-1][3:4] == "-":
            lines.append(self.read())
            if not lines[-1]:
                raise ConnectionError("closed")
        return "\n".join(lines)

    def lines(self):
        """A POP3 multi-line answer up to its dot, with the stuffing removed."""
        found = []
        while (line := self.read()) != ".":
            found.append(line.removeprefix("."))
        return found

    def say(self, line):
        self.socket.sendall(line.encode("latin-1") + b"\r\n")

    def ask(self, line):
        self.say(line)
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()
