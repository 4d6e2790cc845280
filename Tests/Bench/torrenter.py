"""A libtorrent client as a process of its own: `torrenter.py ADDRESS PORT FOLDER FILE.torrent`.

It says `here` when all of the torrent is there, and calls each `ADDRESS PORT` that it reads. It ends with its input.
"""
import sys
import threading

import libtorrent


def main():
    address, port, folder, file = sys.argv[1:]
    unencrypted = int(libtorrent.enc_policy.pe_disabled)
    session = libtorrent.session({
        "listen_interfaces": f"{address}:{port}", "outgoing_interfaces": address, "enable_dht": False, "enable_lsd": False,
        "enable_upnp": False, "enable_natpmp": False, "enable_outgoing_utp": False, "enable_incoming_utp": False,
        "out_enc_policy": unencrypted, "in_enc_policy": unencrypted, "allow_multiple_connections_per_ip": True,
        "alert_mask": libtorrent.alert.category_t.status_notification | libtorrent.alert.category_t.storage_notification})
    # Peers on loopback count as local, and slots and limits don't hold for those: here they are as all others.
    session.set_peer_class_filter(libtorrent.ip_filter())
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(file)
    parameters.save_path = folder
    handle = session.add_torrent(parameters)

    def listen():
        while True:
            session.wait_for_alert(60_000)
            for alert in session.pop_alerts():
                if isinstance(alert, libtorrent.torrent_finished_alert):
                    handle.flush_cache()
                elif isinstance(alert, libtorrent.cache_flushed_alert) and handle.status().is_seeding:
                    print("here", flush=True)

    threading.Thread(target=listen, daemon=True).start()
    for line in sys.stdin:
        host, number = line.split()
        handle.connect_peer((host, int(number)))


if __name__ == "__main__":
    main()
