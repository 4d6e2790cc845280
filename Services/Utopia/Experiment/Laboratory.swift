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
  private var children: [Child] = []
  /// Nothing starts here any more. A run that is under way then fails, which is not its fault.
  private(set) var isClosed = false
  /// Held as long as it lasts: of two experiments on one network each would meet the other's servers.
  private let claim: TCPListener
  private static let claimPort: UInt16 = 8998
  private static let patience = Duration.seconds(30)

  init(in folder: String, network: Network, on loop: EventLoop) throws {
    self.folder = folder
    self.network = network
    self.loop = loop
    do throws(IOError) {
      claim = try TCPListener(SocketAddress(ip: network.address(0, 1), port: Self.claimPort), on: loop) { $0.close() }
    } catch {
      throw Trouble(
        "Network \(network) is not free, perhaps since another experiment is under way there: say another one with --net. (\(error))"
      )
    }
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
    let child = try start(
      "\(Files.ownFolder)/\(executable)",
      [
        "--listen", "\(address)", "--data", data, "--lab", "--loops", "1", "--admin-token-file", tokenFile,
        "--allow-egress", "\(network).0.0/16", "--exit-with-parent",
      ] + arguments, saying: name)
    let bench = Bench(
      name: name, child: child, door: Door(url: "http://\(address)", token: token, client: client))
    try await wait(for: child, name) {
      (try? await bench.door.send("GET", "/readyz", timeout: .seconds(2)))?.isSuccess ?? false
    }
    return bench
  }

  /// Starts a part of this executable itself, and waits until it has said so where it says when it is ready.
  func startOwn(_ name: String, _ arguments: [String], until ready: String? = nil) async throws -> Child {
    // What one before it said is not its own.
    Files.remove(log(of: name))
    let child = try start(Files.ownPath, arguments, saying: name)
    guard let ready else { return child }
    try await wait(for: child, name) { try Files.read(self.log(of: name))?.contains(ready) ?? false }
    return child
  }

  private nonisolated func log(of name: String) -> String { "\(folder)/\(name).log" }

  /// What a process said last, for whoever has to know why it ended.
  nonisolated func lastWords(of name: String) -> String {
    ((try? Files.read(log(of: name))) ?? nil).flatMap { lastMessage(in: $0) } ?? ""
  }

  /// What it says goes into a file.
  private func start(_ executable: String, _ arguments: [String], saying name: String) throws -> Child {
    try requireOpen()
    let log = log(of: name)
    let descriptor = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Trouble.system(log) }
    defer { Glibc.close(descriptor) }
    let child = try Child.start(executable, arguments, input: lifeline.reading, output: descriptor, errors: descriptor)
    children.append(child)
    return child
  }

  /// How a process ended, told once; nil while it runs.
  func outcome(of child: Child) throws -> Child.Outcome? {
    try requireOpen()
    guard let outcome = child.outcome() else { return nil }
    forget(child)
    return outcome
  }

  private func requireOpen() throws {
    guard !isClosed else { throw Trouble("the experiment has ended") }
  }

  private func forget(_ child: Child) { children.removeAll { $0.process == child.process } }

  /// Asks again and again whether a process is ready; it may have ended instead.
  private func wait(for child: Child, _ name: String, until isReady: () async throws -> Bool) async throws {
    let deadline = Instant.current + Self.patience
    while try await !isReady() {
      if let outcome = try outcome(of: child) { throw Trouble("\(name) \(outcome): \(lastWords(of: name))") }
      guard Instant.current < deadline else {
        throw Trouble("\(name) is not ready after \(Self.patience); see \(log(of: name))")
      }
      await loop.sleep(for: .milliseconds(20))
    }
  }

  func stop(_ child: Child) async {
    forget(child)
    await end([child])
  }

  /// Ends all of them.
  func close() async {
    isClosed = true
    await end(children)
    await claim.drain()
    await client.close()
  }

  private func end(_ children: [Child]) async {
    // One whose end was told already is no process of ours any more.
    for child in children where child.outcome() == nil { child.send(SIGTERM) }
    for child in children {
      let deadline = Instant.current + Self.patience
      while child.outcome() == nil {
        if Instant.current > deadline { child.send(SIGKILL) }
        await loop.sleep(for: .milliseconds(10))
      }
    }
  }
}
