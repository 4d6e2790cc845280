import EventLoop
import Glibc
import HTTPClient
import Octets

/// A place for processes that are started for an experiment and end with it: a folder, a network, and one administrator's token.
actor Laboratory {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

  /// A process of it.
  struct Bench: Sendable {
    var name: String
    var child: Child
    var door: Door
  }

  nonisolated let folder: String
  nonisolated let network: Network
  nonisolated let client: HTTPClient
  private let token: String
  private let tokenFile: String
  /// The children's standard input: it ends when this process does, and they end then.
  private let lifeline: Pipe
  private var benches: [Bench] = []
  private static let patience = Duration.seconds(30)

  init(in folder: String, network: Network, on loop: EventLoop) throws {
    self.folder = folder
    self.network = network
    self.loop = loop
    var limits = HTTPClient.Limits()
    limits.connections = 1024
    client = HTTPClient(on: loop, limits: limits)
    lifeline = try Pipe()
    try Files.makeFolder(folder)
    var generator = SystemRandomNumberGenerator()
    token = Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
    tokenFile = folder + "/token"
    try Files.write(token, to: tokenFile)
  }

  /// Starts a service and waits until it is ready.
  /// - Parameters:
  ///   - name: of its folder, and in its complaints.
  ///   - port: of its REST interface, at the network's first address.
  func start(_ executable: String, _ name: String, port: UInt16, _ arguments: [String]) async throws -> Bench {
    let address = SocketAddress(ip: network.address(0, 1), port: port)
    let data = "\(folder)/\(name)"
    try Files.makeFolder(data)
    let log = "\(folder)/\(name).log"
    let descriptor = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Trouble.system(log) }
    defer { Glibc.close(descriptor) }
    let child = try Child.start(
      "\(Files.ownFolder)/\(executable)",
      [
        "--listen", "\(address)", "--data", data, "--lab", "--loops", "1", "--admin-token-file", tokenFile,
        "--allow-egress", "\(network).0.0/16", "--exit-with-parent",
      ] + arguments, input: lifeline.reading, output: descriptor, errors: descriptor)
    let bench = Bench(
      name: name, child: child, door: Door(url: "http://\(address)", token: token, client: client))
    benches.append(bench)
    let deadline = Instant.current + Self.patience
    while true {
      if let reply = try? await bench.door.send("GET", "/readyz", timeout: .seconds(2)), reply.isSuccess {
        return bench
      }
      if let outcome = child.outcome() {
        let words = try Files.read(log).flatMap { lastMessage(in: $0) } ?? ""
        throw Trouble("\(name) \(outcome): \(words)")
      }
      guard Instant.current < deadline else { throw Trouble("\(name) is not ready after \(Self.patience); see \(log)") }
      await loop.sleep(for: .milliseconds(20))
    }
  }

  /// Starts a part of this executable itself.
  func startOwn(_ arguments: [String], output: Int32) throws -> Child {
    try Child.start(Files.ownPath, arguments, input: lifeline.reading, output: output, errors: 2)
  }

  func stop(_ bench: Bench) async {
    benches.removeAll { $0.child.process == bench.child.process }
    await Self.end([bench.child], on: loop)
  }

  /// Ends all of them.
  func close() async {
    await Self.end(benches.map(\.child), on: loop)
    benches = []
    await client.close()
  }

  private static func end(_ children: [Child], on loop: EventLoop) async {
    for child in children { child.send(SIGTERM) }
    for child in children {
      let deadline = Instant.current + patience
      while child.outcome() == nil {
        if Instant.current > deadline { child.send(SIGKILL) }
        await loop.sleep(for: .milliseconds(10))
      }
    }
  }
}
