import ArgumentParser
import EventLoop
import FoundationEssentials
import Glibc
import HTTPClient
import Octets
import SQL

@testable import ServiceKit

/// A service in this process, on a free port and a loop of its own, with a data directory that goes with it.
final class TestService: Sendable {
  let service: Service
  let address: SocketAddress
  private let directory: TestDirectory

  init(
    _ arguments: [String] = [], in directory: TestDirectory = TestDirectory(),
    environment: [String: String] = ["UTOPIA_ADMIN_TOKEN": "token"], readinessLifetime: Duration = .seconds(1),
    start: @Sendable (Service) async throws -> Void = { _ in }
  ) async throws {
    let options = try ServiceOptions.parse(
      ["--listen", "127.0.0.1:0", "--data", directory.path, "--log-level", "critical"] + arguments)
    let loop = try EventLoop.start(name: "test")
    self.directory = directory
    service = try Service(
      "test", options, loops: [loop], egress: .unrestricted, environment: environment,
      readinessLifetime: readinessLifetime)
    address = try await service.open(start)[0]
  }

  /// A request with the administrator's token, unless it brings an Authorization of its own.
  func ask(
    _ method: String, _ path: String, _ headers: [(name: String, value: String)] = [], body: String? = nil
  ) async throws -> ClientResponse {
    var headers = headers
    if !headers.contains(where: { $0.name == "Authorization" }) { headers.append(("Authorization", "Bearer token")) }
    return try await service.client.send(
      ClientRequest(method, "http://\(address)\(path)", headers: headers, body: body.map { Array($0.utf8) }))
  }

  func stop() async {
    _ = await service.lifecycle.drain(within: .seconds(6), on: service.loop)
    await service.client.close()
    service.loop.stop()
  }
}

/// A directory of a test's own, gone with it.
final class TestDirectory: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/kit-tests-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, let made = unsafe mkdtemp(base) else { return "/tmp" }
      return unsafe String(cString: made)
    }
  }

  deinit { TestDirectory.remove(path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  func write(_ text: String, to name: String) throws { try DurableFile.replace(file(name), with: Array(text.utf8)) }

  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: file(name), withIntermediateDirectories: true)
  }

  func remove(_ name: String) { unsafe _ = unlink(file(name)) }

  /// The names in it, sorted.
  func names(in folder: String = "") -> [String] { TestDirectory.list(file(folder)) }

  private static func list(_ path: String) -> [String] {
    guard let listing = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(listing) }
    var names: [String] = []
    while let entry = unsafe readdir(listing) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
        unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  private static func remove(_ path: String) {
    for name in list(path) {
      if unsafe unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
    }
    unsafe rmdir(path)
  }
}

/// A gate that a test keeps shut for those who wait at it.
final class Gate: Sendable {
  private let state = Lock<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

  func pass() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiting.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  func open() {
    let waiting = state.withLock { state in
      defer { state = (true, []) }
      return state.waiting
    }
    for one in waiting { one.resume() }
  }
}

/// For work that keeps a thread of a pool busy.
enum BlockingWait {
  static func rest() { usleep(1000) }
}
