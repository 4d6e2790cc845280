import EventLoop
import Glibc
import HTTPClient
import HTTPServer
import HTTPWire
import Octets

/// The client-server way: one server sends the file to each client. Server and clients are processes of their own.
struct ServerRun {
  let laboratory: Laboratory
  let distribution: Distribution
  let file: String

  private var address: SocketAddress { SocketAddress(ip: laboratory.network.address(40, 1), port: 8080) }

  func run(peers: Int, progress: @escaping @Sendable (Int) -> Void) async throws -> DistributionResult {
    let server = try await laboratory.startOwn(
      "server", ["experiment", "serve", file, "--listen", "\(address)", "--rate", "\(distribution.serverUp.octets)"],
      until: "listening")
    let start = Instant.current
    var clients: [(name: String, child: Child)] = []
    for number in 1...peers {
      let name = "client\(number)"
      let child = try await laboratory.startOwn(
        name,
        [
          "experiment", "fetch", "http://\(address)/file", "--rate", "\(distribution.peerDown.octets)", "--from",
          "\(laboratory.network.address(41, UInt8(clamping: number)))",
        ])
      clients.append((name, child))
    }
    var times: [Double] = []
    while !clients.isEmpty {
      await laboratory.loop.sleep(for: .milliseconds(20))
      for (name, child) in clients {
        guard let outcome = try await laboratory.outcome(of: child) else { continue }
        guard case .code(0) = outcome else {
          throw Trouble("\(name) \(outcome): \(laboratory.lastWords(of: name))")
        }
        clients.removeAll { $0.name == name }
        times.append(Instant.current.since(start) / .seconds(1))
        progress(times.count)
      }
    }
    await laboratory.stop(server)
    return DistributionResult(
      way: .clientServer, peers: peers, bound: distribution.bound(.clientServer, peers: peers),
      measured: times.max() ?? 0, times: times.sorted(), serverSent: peers * distribution.size.octets)
  }
}

/// The server of that way: our own HTTP server with a bound on what it sends.
struct RatedFileServer {
  let file: String
  let address: SocketAddress
  /// Octets a second, to all clients together.
  let rate: Int

  func serve(on loop: EventLoop) throws {
    let limiter = RateLimiters([RateLimiter(rate: rate, on: loop)])
    let router = Router()
    let pool = BlockingPool()
    let path = file
    router.on(.get, "/file") { _ async throws in
      let size = Files.size(path)
      let descriptor = try await pool.run {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Trouble.system(path) }
        return descriptor
      }
      return Response.stream(type: "application/octet-stream", length: size) { writer in
        defer { close(descriptor) }
        var sent = 0
        while sent < size {
          let octets = try await pool.run { [sent] in try Self.read(descriptor, at: sent, path) }
          guard !octets.isEmpty else { return }
          await limiter.pass(octets.count)
          sent += octets.count
          try await writer.write(octets)
        }
      }
    }
    _ = try HTTPServer(router: router, configuration: HTTPServer.Configuration()).listen(on: address, loops: [loop])
  }

  private static func read(_ descriptor: Int32, at offset: Int, _ path: String) throws -> [UInt8] {
    var octets = [UInt8](repeating: 0, count: 16_384)
    let count = unsafe pread(descriptor, &octets, octets.count, offset)
    guard count >= 0 else { throw Trouble.system(path) }
    return Array(octets[..<count])
  }
}

/// A client of that way: takes the file as fast as its own link lets it, and throws it away.
struct RatedFetch {
  let url: String
  /// Octets a second.
  let rate: Int
  let source: IPAddress?

  func fetch(on loop: EventLoop) async throws {
    let client = HTTPClient(on: loop)
    var request = ClientRequest(url)
    request.sourceAddress = source
    request.silence = .seconds(600)
    let limiter = RateLimiters([RateLimiter(rate: rate, on: loop)])
    let response = try await client.stream(request)
    guard response.status == 200 else { throw Trouble("\(url) answers \(response.status)") }
    while let octets = try await response.next() { await limiter.pass(octets.count) }
  }
}
