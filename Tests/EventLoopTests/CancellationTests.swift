import EventLoop
import Glibc
import Octets
import Testing

private let hour = Duration.seconds(3600)

@Test("A cancelled task sleeps no longer", .timeLimit(.minutes(1)))
func cancelledSleep() async throws {
  try await withLoop { loop in
    let sleeping = Task { await loop.sleep(for: hour) }
    await loop.sleep(for: .milliseconds(10))
    sleeping.cancel()
    await sleeping.value
    let cancelledBefore = Task {
      while !Task.isCancelled { await Task.yield() }
      await loop.sleep(for: hour)
    }
    cancelledBefore.cancel()
    await cancelledBefore.value
  }
}

@Test("A cancelled task reads and writes no longer, and the connection goes on", .timeLimit(.minutes(1)))
func cancelledReading() async throws {
  try await withLoop { loop in
    let listener = try echoListener(on: loop)
    let connection = try await TCPConnection.connect(to: listener.address, on: loop)
    let reading = Task { _ = try await connection.read(timeout: hour) }
    await loop.sleep(for: .milliseconds(10))
    reading.cancel()
    await #expect(throws: IOError.cancelled) { try await reading.value }
    try await connection.write([1])
    #expect(try await connection.read() == [1])
    // The echo comes back to nobody, so that soon nothing can be written.
    let writing = Task {
      while true { try await connection.write([UInt8](repeating: 0, count: 1_000_000), timeout: hour) }
    }
    await loop.sleep(for: .milliseconds(200))
    writing.cancel()
    await #expect(throws: IOError.cancelled) { try await writing.value }
    await connection.close()
    await listener.drain()
  }
}

@Test("A cancelled task connects no longer", .timeLimit(.minutes(1)))
func cancelledConnecting() async throws {
  try await withLoop { loop in
    // A loop that hangs accepts nobody: soon the kernel answers no further attempt.
    let busy = try EventLoop.start(name: "busy")
    defer { busy.stop() }
    let silent = try TCPListener(anyPort, on: busy, backlog: 0) { _ in }
    var ends: [Int32] = [0, 0]
    try #require(unsafe pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    await loop.sleep(for: .milliseconds(20))
    busy.submit {
      var octet: UInt8 = 0
      _ = unsafe read(reading, &octet, 1)
    }
    var connections: [TCPConnection] = []
    while let next = try? await TCPConnection.connect(to: silent.address, on: loop, timeout: .milliseconds(300)) {
      connections.append(next)
    }
    let connecting = Task { _ = try await TCPConnection.connect(to: silent.address, on: loop, timeout: hour) }
    await loop.sleep(for: .milliseconds(50))
    connecting.cancel()
    await #expect(throws: IOError.cancelled) { try await connecting.value }
    for connection in connections { await connection.close() }
    var octet: UInt8 = 0
    _ = unsafe write(writing, &octet, 1)
    await silent.drain()
    close(reading)
    close(writing)
  }
}
