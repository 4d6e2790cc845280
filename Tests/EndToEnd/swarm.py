"""A swarm of real clients: libtorrent in this process, aria2 and Transmission as a user starts them."""
import hashlib
import os
import pathlib
import signal
import subprocess
import time

import libtorrent
from harness import eventually

MIB = 1 << 20


def content(path, size, seed=b"utopia"):
    """Octets that no compression shortens, the same every time."""
    block, out = hashlib.sha256(seed).digest(), bytearray()
    while len(out) < size:
        out += block * 32
        block = hashlib.sha256(block).digest()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out[:size])
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def torrent(path, *trackers, piece=64 << 10):
    """The .torrent file of a file or folder, as libtorrent makes it (version 1)."""
    made = libtorrent.create_torrent(libtorrent.list_files(str(path)), piece, libtorrent.create_torrent.v1_only)
    for tier, url in enumerate(trackers):
        made.add_tracker(url, tier)
    libtorrent.set_piece_hashes(made, str(path.parent))
    return libtorrent.bencode(made.generate())


class Torrenter:
    """A libtorrent session at an address of its own."""

    def __init__(self, address, folder):
        self.address = address
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        # All sessions of a process share what UDP trackers gave them, and what one was given is not good for another's address.
        self.session = libtorrent.session({
            "udp_tracker_token_expiry": 0,
            "listen_interfaces": f"{address}:6881", "outgoing_interfaces": address, "enable_dht": False,
            "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False, "enable_outgoing_utp": False,
            "enable_incoming_utp": False, "allow_multiple_connections_per_ip": True, "ssrf_mitigation": False, "tracker_completion_timeout": 10,
            "tracker_receive_timeout": 10, "min_announce_interval": 1, "alert_mask": libtorrent.alert.category_t.all_categories})
        # Peers on loopback count as local, and slots and limits don't hold for those: here they are as all others.
        self.session.set_peer_class_filter(libtorrent.ip_filter())

    def add(self, data):
        parameters = libtorrent.add_torrent_params()
        parameters.ti = libtorrent.torrent_info(libtorrent.bdecode(data))
        parameters.save_path = str(self.folder)
        self.handle = self.session.add_torrent(parameters)
        return self

    def add_magnet(self, link):
        parameters = libtorrent.parse_magnet_uri(link)
        parameters.save_path = str(self.folder)
        self.handle = self.session.add_torrent(parameters)
        return self

    def wait(self, seconds=60):
        eventually(lambda: self.handle.status().is_seeding, seconds=seconds)
        return self

    def announce(self):
        """Asks the tracker anew, sooner than a client would by itself, and waits a while for what comes of it."""
        self.handle.force_reannounce(0, -1, libtorrent.reannounce_flags_t.ignore_min_interval)
        time.sleep(1)

    def alerts(self):
        return [f"{alert.what()}: {alert.message()}" for alert in self.session.pop_alerts()]

    def stop(self):
        """Goes as a client goes: the tracker is told."""
        self.session.pause()
        if hasattr(self, "handle"):
            self.session.remove_torrent(self.handle)
        time.sleep(0.2)
        del self.session


def aria2(address, folder, file, *options):
    """aria2c as a process. Its UDP trackers need the socket of its DHT node, which knows nobody to ask."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        ["aria2c", "--no-conf", "--enable-dht=true", f"--dht-file-path={folder}.dht", "--dht-listen-port=6881", "--enable-dht6=false", "--bt-enable-lpd=false", f"--interface={address}",
         "--listen-port=6881", f"--dir={folder}", "--seed-time=0.05", "--bt-stop-timeout=60", "--summary-interval=0",
         "--follow-torrent=mem", "--check-integrity=true", *options, str(file)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ, no_proxy="*"))


def transmission(address, folder, file):
    """transmission-cli as a process: it goes on seeding until it is ended. It calls nobody at a loopback address, but answers who
    calls from there."""
    folder.mkdir(parents=True, exist_ok=True)
    home = folder.parent / f"{folder.name}-settings"
    home.mkdir()
    (home / "settings.json").write_text(
        '{"bind-address-ipv4": "%s", "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, '
        '"port-forwarding-enabled": false, "utp-enabled": false, "peer-port": 6881}' % address)
    return subprocess.Popen(
        ["transmission-cli", "--config-dir", str(home), "--download-dir", str(folder), "--port", "6881", "--no-portmap",
         str(file)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, no_proxy="*"))


def is_whole(path, original):
    return path.exists() and path.stat().st_size == original.stat().st_size and digest(path) == digest(original)


class Others:
    """The clients of other people, started by their names and ended with the test."""

    def __init__(self, net, directory):
        self.net, self.directory, self.sessions, self.processes = net, pathlib.Path(directory), [], []

    def folder(self, name):
        return self.directory / name

    def start(self, name, file, place, options=()):
        """Begins to download, or to seed what lies in its folder already."""
        address, folder = self.net.at(f"60.{place}"), self.folder(f"{name}{place}")
        if name == "libtorrent":
            session = Torrenter(address, folder)
            self.sessions.append(session)
            text = file.read_bytes()
            session.add_magnet(text.decode()) if text.startswith(b"magnet:") else session.add(text)
        else:
            self.processes.append(
                aria2(address, folder, file, *options) if name == "aria2" else transmission(address, folder, file))
        return address, folder

    def stop(self):
        for session in self.sessions:
            session.stop()
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
