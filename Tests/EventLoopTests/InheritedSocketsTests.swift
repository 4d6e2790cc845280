import CLinux
import Glibc
import Octets
import Testing

@testable import EventLoop

/// Sockets of systemd: bound, and in a test held, by somebody else.
@Suite struct InheritedSocketsTests {
  private func bound(_ type: Int32) throws -> (descriptor: Int32, address: SocketAddress) {
    let any = try #require(SocketAddress("127.0.0.1:0"))
    let descriptor = try openSocket(any, type: type)
    try bindSocket(descriptor, to: any)
    return (descriptor, try boundAddress(of: descriptor))
  }

  @Test("A listener and its siblings take over the socket that was bound to their address")
  func listeners() async throws {
    let (descriptor, address) = try bound(CLINUX_SOCK_STREAM)
    try InheritedSockets.shared.adopt(descriptor)
    #expect(InheritedSockets.shared.unused.contains(address))
    let loops = [try EventLoop.start(name: "one"), try EventLoop.start(name: "two")]
    let accepted = Lock(0)
    var listeners: [TCPListener] = []
    for (index, loop) in loops.enumerated() {
      listeners.append(
        try TCPListener(address, on: loop, sharesPort: true, isSibling: index > 0) { socket in
          accepted.withLock { $0 += 1 }
          socket.close()
        })
    }
    #expect(!InheritedSockets.shared.unused.contains(address))
    for _ in 0..<4 { _ = try await TCPConnection.connect(to: address, on: loops[0]) }
    while accepted.withLock({ $0 }) < 4 { await Task.yield() }
    for listener in listeners { await listener.drain() }
    for loop in loops { loop.stop() }
  }

  @Test("More than are taken are refused, not left out in silence")
  func tooMany() {
    #expect(throws: IOError.self) {
      try InheritedSockets().adopt(["LISTEN_PID": "\(getpid())", "LISTEN_FDS": "65"])
    }
  }

  @Test("A datagram socket as well, which is another than the stream socket of the same address")
  func datagrams() throws {
    let (descriptor, address) = try bound(CLINUX_SOCK_DGRAM)
    try InheritedSockets.shared.adopt(descriptor)
    let loop = try EventLoop.start(name: "one")
    defer { loop.stop() }
    #expect(try InheritedSockets.shared.duplicate(address, type: CLINUX_SOCK_STREAM) == nil)
    #expect(try UDPSocket(address, on: loop).address == address)
  }

  @Test(
    "What turns out to be no socket is refused and not kept open", arguments: [CLINUX_SOCK_STREAM, CLINUX_SOCK_DGRAM])
  func noSocket(type: Int32) throws {
    let (descriptor, address) = try bound(type)
    try InheritedSockets.shared.adopt(descriptor)
    var ends: [Int32] = [-1, -1]
    let piped = unsafe pipe(&ends)
    try #require(piped == 0)
    // In the socket's place comes a pipe, whose reader sees the end when nobody holds it open any more.
    try #require(dup2(ends[1], descriptor) == descriptor)
    close(ends[1])
    let loop = try EventLoop.start(name: "one")
    #expect(throws: IOError.system(call: "getsockname", errno: ENOTSOCK)) {
      if type == CLINUX_SOCK_STREAM {
        _ = try TCPListener(address, on: loop) { $0.close() }
      } else {
        _ = try UDPSocket(address, on: loop)
      }
    }
    loop.stop()
    close(descriptor)
    #expect(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
    var octet: UInt8 = 0
    let count = unsafe read(ends[0], &octet, 1)
    #expect(count == 0)
    close(ends[0])
  }

  @Test(
    "What is meant for another process is left alone",
    arguments: [
      [:], ["LISTEN_FDS": "1"], ["LISTEN_PID": "1", "LISTEN_FDS": "1"], ["LISTEN_PID": "x", "LISTEN_FDS": "1"],
    ])
  func others(environment: [String: String]) throws {
    let sockets = InheritedSockets()
    try sockets.adopt(environment)
    #expect(sockets.unused.isEmpty)
  }
}
