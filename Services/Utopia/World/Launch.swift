import Octets

/// How the service of a host is started.
struct Launch: Equatable, Sendable {
  /// The name of the executable, without a folder.
  var executable: String
  var arguments: [String]
}

extension World {
  /// The command line of a host's service.
  /// - Parameters:
  ///   - data: the folder of this host.
  ///   - token: the file with the administrator's token; nil when the environment has it.
  ///   - supervised: the service ends when its standard input does.
  func launch(_ host: Host, data: String, token: String?, supervised: Bool) -> Launch {
    var arguments = ["--listen", "\(door(of: host))", "--data", data, "--lab", "--loops", "1"]
    if let token { arguments += ["--admin-token-file", token] }
    for network in placement.egress { arguments += ["--allow-egress", network] }
    if placement.containers || placement.doors?.isUnspecified == true {
      // Published ports are called by names of the machine outside.
      for name in ["localhost", "127.0.0.1"] { arguments += ["--allow-host", name] }
    }
    if supervised { arguments.append("--exit-with-parent") }
    switch host.role {
    case .nameserver:
      for address in host.addresses { arguments += ["--dns", "\(SocketAddress(ip: address, port: ports.dns))"] }
    case .resolver(let hints):
      arguments += ["--dns", "\(SocketAddress(ip: host.address, port: ports.dns))"]
      for network in placement.egress { arguments += ["--allow", network] }
      if placement.network.first == 127, !placement.egress.contains("127.0.0.0/16") {
        // Clients on this machine send from 127.0.0.1, whichever address of the loopback network they ask.
        arguments += ["--allow", "127.0.0.1"]
      }
      for hint in hints { arguments += ["--root-hint", "\(hint)"] }
      arguments += ["--dns-port", "\(ports.dns)"]
    case .registrar(let registry):
      for top in registry.topLevels {
        guard let server = self.host(named: top.host) else { continue }
        arguments += ["--tld", "\(top.name)=\(url(of: server))"]
      }
    case .mail(let mail):
      arguments += ["--hostname", mail.hostname, "--smtp", "\(SocketAddress(ip: host.address, port: ports.smtp))"]
      // The network of containers is as private as loopback, and TLS is not there yet.
      if placement.containers { arguments.append("--insecure-passwords") }
      if mail.catches {
        arguments.append("--catch")
      } else {
        if let domain = mail.domain { arguments += ["--domain", domain] }
        arguments += ["--submission", "\(SocketAddress(ip: host.address, port: ports.submission))"]
        arguments += ["--pop3", "\(SocketAddress(ip: host.address, port: ports.pop3))"]
        if let resolver { arguments += ["--resolver", url(of: resolver)] }
        arguments += ["--relay-port", "\(ports.smtp)"]
      }
    case .tracker:
      let address = SocketAddress(ip: host.address, port: ports.tracker)
      // In a world nobody wants to wait half an hour until those who are there hear of those who came.
      arguments += ["--http", "\(address)", "--udp", "\(address)", "--interval", "60"]
    case .peer:
      arguments += ["--bittorrent", "\(SocketAddress(ip: host.address, port: ports.bittorrent))"]
    }
    return Launch(executable: host.executable, arguments: arguments)
  }

  /// What a host speaks on the wire, for the table: `SMTP 127.0.20.1:2525, submission 2587, POP3 2110`.
  func wire(of host: Host) -> String {
    let span =
      host.addresses.count > 1
      ? "\(host.address)-\(host.addresses.last?.bytes.last ?? 0)" : "\(host.address)"
    switch host.role {
    case .nameserver, .resolver: return "DNS \(span):\(ports.dns)"
    case .registrar: return ""
    case .tracker: return "HTTP and UDP \(span):\(ports.tracker)"
    case .peer: return "BitTorrent \(span):\(ports.bittorrent)"
    case .mail(let mail) where mail.catches: return "SMTP \(span):\(ports.smtp)"
    case .mail: return "SMTP \(span):\(ports.smtp), submission \(ports.submission), POP3 \(ports.pop3)"
    }
  }
}
