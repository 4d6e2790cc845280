import EventLoop
import HTTPClient
import Glibc
import Octets

/// Runs the services of a world: starts them, waits until they are ready, watches over them and ends them in the
/// reverse order. The process ends with it.
actor Keeper {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

  private struct Running {
    var host: Host
    var child: Child
    /// Where this run's part of the log begins.
    var logStart: Int
  }

  private let world: World
  private let directory: WorldDirectory
  private let client: HTTPClient
  /// The children's standard input: it ends when this process does, and they end then.
  private let lifeline: Pipe
  private var running: [Running] = []
  private var isEnding = false
  private var isImpatient = false

  /// How long a service may take until it is ready, and until it has ended.
  private static let patience = Duration.seconds(20)

  init(_ world: World, in directory: WorldDirectory, client: HTTPClient, on loop: EventLoop) throws(Trouble) {
    self.world = world
    self.directory = directory
    self.client = client
    self.loop = loop
    lifeline = try Pipe()
  }

  /// Starts every service, then waits until each is ready.
  /// - Returns: whether they are; false when the world is ending already.
  func start() async throws(Trouble) -> Bool {
    try await refuseTakenPorts()
    for host in world.hosts {
      if isEnding { return false }
      try start(host)
    }
    for host in world.hosts {
      try await waitUntilReady(host)
      if isEnding { return false }
      say("  \(host.name) is ready")
    }
    return true
  }

  /// Another program's answer on a port of this world would be taken for the service's own.
  private func refuseTakenPorts() async throws(Trouble) {
    for host in world.hosts {
      for address in [world.door(of: host)] + world.wireAddresses(of: host) {
        let reachable = address.ip.isUnspecified ? SocketAddress(ip: .loopbackV4, port: address.port) : address
        guard let taken = try? await TCPConnection.connect(to: reachable, on: loop, timeout: .seconds(1)) else {
          continue
        }
        await taken.close()
        throw Trouble(
          "\(address), where \(host.name) belongs, is in use by another program; "
            + "stop that one, or start a world beside it with --net N")
      }
    }
  }

  private func start(_ host: Host) throws(Trouble) {
    let folder = directory.folder(of: host)
    try Files.makeFolder(folder)
    let log = directory.log(of: host)
    let descriptor = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system(log) }
    defer { close(descriptor) }
    let launch = world.launch(host, data: folder, token: directory.tokenFile, supervised: true)
    let logStart = Files.size(log)
    let child = try Child.start(
      "\(Files.ownFolder)/\(launch.executable)", launch.arguments, input: lifeline.reading, output: descriptor,
      errors: descriptor)
    running.append(Running(host: host, child: child, logStart: logStart))
  }

  private func waitUntilReady(_ host: Host) async throws(Trouble) {
    let door = world.door(to: host, token: nil, through: client)
    let deadline = Instant.current + Self.patience
    var last = "no answer"
    while !isEnding {
      if let reply = try? await door.send("GET", "/readyz", timeout: .seconds(2)) {
        if reply.isSuccess { return }
        last = "\(reply.status) \(reply.json["detail"]?.text ?? "")"
      }
      guard Instant.current < deadline else {
        throw Trouble(
          "\(host.name) is not ready after \(Self.patience): \(last); its log is \(directory.log(of: host))")
      }
      await loop.sleep(for: .milliseconds(20))
    }
  }

  /// A child has ended: unless it was told to, the world ends too.
  func collect() async {
    guard !isEnding else { return }
    for one in running {
      guard let outcome = one.child.outcome() else { continue }
      running.removeAll { $0.child.process == one.child.process }
      let log = directory.log(of: one.host)
      // Who was killed had no time to say why: its last words are about something else.
      let written = outcome.isSignal ? "" : (try? Files.read(log, from: one.logStart)) ?? ""
      let reason = lastMessage(in: written).map { ": \($0)" } ?? ""
      await end(Trouble("\(one.host.name) \(outcome)\(reason) (log: \(log))"))
      return
    }
  }

  /// The command that started this launcher is gone before the world was up.
  func abandon() async {
    if !isEnding { await end(nil) }
  }

  /// A person asks for the end; who asks again does not want to wait for it.
  func interrupt() async {
    if isEnding { isImpatient = true } else { await end(nil) }
  }

  /// Ends every service, the last started first, then this process: with code 1 where something went wrong. What goes wrong
  /// because the world is ending changes nothing.
  func end(_ trouble: Trouble?) async {
    guard !isEnding else { return }
    isEnding = true
    if let trouble {
      complain(trouble.description)
      directory.rememberEnd("\(trouble)")
    }
    // A service lets its clients finish: an open connection of the launcher's own would keep it waiting.
    await client.close()
    for one in running.reversed() {
      one.child.send(SIGTERM)
      let deadline = Instant.current + Self.patience
      while one.child.outcome() == nil {
        if isImpatient || Instant.current > deadline { one.child.send(SIGKILL) }
        await loop.sleep(for: .milliseconds(5))
      }
    }
    if trouble == nil { say("\(world.name) is down; its data stays in \(directory.path).") }
    exit(trouble == nil ? 0 : 1)
  }
}

extension World {
  /// The TCP addresses of a host's wire protocols.
  fileprivate func wireAddresses(of host: Host) -> [SocketAddress] {
    switch host.role {
    case .nameserver, .resolver: host.addresses.map { SocketAddress(ip: $0, port: ports.dns) }
    case .registrar: []
    case .tracker: host.addresses.map { SocketAddress(ip: $0, port: ports.tracker) }
    case .peer: host.addresses.map { SocketAddress(ip: $0, port: ports.bittorrent) }
    case .mail(let mail):
      (mail.catches ? [ports.smtp] : [ports.smtp, ports.submission, ports.pop3]).map {
        SocketAddress(ip: host.address, port: $0)
      }
    }
  }
}

/// Why a service ended, by its log: its last complaint, or else its last words, without the frame of a JSON line.
func lastMessage(in log: String) -> String? {
  var last: String?
  for line in log.split(separator: "\n").reversed() where !line.allSatisfy(\.isWhitespace) {
    guard let json = JSON(Array(line.utf8)), let message = json["message"]?.string else {
      last = last ?? String(line)
      continue
    }
    let whole = [message, json["error"]?.text].compactMap(\.self).joined(separator: ": ")
    if ["critical", "error"].contains(json["level"]?.string) { return whole }
    last = last ?? whole
  }
  return last
}
