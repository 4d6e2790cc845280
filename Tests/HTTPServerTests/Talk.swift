import EventLoop
import HTTPServer
import HTTPWire
import Octets
import Testing

/// A server on a loop of its own, and clients that speak to it in raw bytes.
struct TestServer: Sendable {
  let loop: EventLoop
  let server: HTTPServer
  let address: SocketAddress

  func connect() async throws -> TCPConnection {
    try await TCPConnection.connect(to: address, from: nil, on: loop, timeout: .seconds(10))
  }

  /// Sends all pieces and returns everything that is answered until the server closes, without Date fields.
  func talk(_ pieces: String..., finishing: Bool = false) async throws -> String {
    let client = try await connect()
    for piece in pieces { try await client.write(Array(piece.utf8)) }
    if finishing { await client.finish() }
    return try await readAll(client)
  }

  /// One request of its own connection.
  func get(_ target: String, method: String = "GET", fields: String = "", body: String = "") async throws -> String {
    try await talk("\(method) \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(fields)\r\n\(body)")
  }
}

/// Everything until the end of the connection, without Date fields.
func readAll(_ client: TCPConnection) async throws -> String {
  var bytes: [UInt8] = []
  while true {
    let more = try await client.read(timeout: .seconds(20))
    if more.isEmpty { break }
    bytes += more
  }
  await client.close()
  return withoutDates(bytes)
}

/// How many octets of content come until the end of the connection, for answers too long to look at.
func countContent(_ client: TCPConnection) async throws -> Int {
  var count = try await read(client, until: "\r\n\r\n").body.utf8.count
  while true {
    let more = try await client.read(timeout: .seconds(20))
    if more.isEmpty { break }
    count += more.count
  }
  await client.close()
  return count
}

/// Reads until the text has come.
func read(_ client: TCPConnection, until text: String) async throws -> String {
  var bytes: [UInt8] = []
  while !String(decoding: bytes, as: UTF8.self).contains(text) {
    let more = try await client.read(timeout: .seconds(20))
    if more.isEmpty { break }
    bytes += more
  }
  return withoutDates(bytes)
}

func withoutDates(_ bytes: [UInt8]) -> String {
  String(decoding: bytes, as: UTF8.self).components(at: "\r\n").filter { !$0.hasPrefix("date: ") }
    .joined(separator: "\r\n")
}

extension String {
  /// The parts between `separator`.
  func components(at separator: String) -> [String] {
    let bytes = Array(utf8)
    let mark = Array(separator.utf8)
    var parts: [String] = []
    var start = 0
    var index = 0
    while index + mark.count <= bytes.count {
      if bytes[index] == mark[0], bytes[index..<index + mark.count].elementsEqual(mark) {
        parts.append(String(decoding: bytes[start..<index], as: UTF8.self))
        index += mark.count
        start = index
      } else {
        index += 1
      }
    }
    return parts + [String(decoding: bytes[start...], as: UTF8.self)]
  }

  var body: String { components(at: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n") }
  var statusLine: String { components(at: "\r\n")[0] }
}

/// Runs `test` against a server with these routes.
func withServer(
  _ configure: (inout HTTPServer.Configuration) -> Void = { _ in }, routes: (Router) -> Void,
  test: (TestServer) async throws -> Void
) async throws {
  var configuration = HTTPServer.Configuration()
  configure(&configuration)
  let router = Router()
  routes(router)
  let loop = try EventLoop.start(name: "http-test")
  let server = HTTPServer(router: router, configuration: configuration)
  let address = try server.listen(on: SocketAddress(ip: .loopbackV4, port: 0), loops: [loop])
  defer { loop.stop() }
  try await test(TestServer(loop: loop, server: server, address: address))
}
