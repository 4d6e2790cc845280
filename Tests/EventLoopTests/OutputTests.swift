import CLinux
import Glibc
import Octets
import Testing

@testable import EventLoop

/// A file of its own under /tmp; cold means that the kernel was told to forget its pages.
func scratchFile(_ content: [UInt8], isCold: Bool) throws -> String {
  var template = Array("/tmp/eventloop-XXXXXX\0".utf8CString)
  let file = unsafe mkstemp(&template)
  try #require(file >= 0)
  defer { close(file) }
  try #require(unsafe write(file, content, content.count) == content.count)
  if isCold {
    fsync(file)
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
  }
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Two connected stream sockets that don't block.
private func pair() throws -> (near: Int32, far: Int32) {
  var ends: [Int32] = [0, 0]
  try #require(unsafe socketpair(AF_UNIX, CLINUX_SOCK_STREAM | CLINUX_SOCK_NONBLOCK, 0, &ends) == 0)
  return (ends[0], ends[1])
}

private func take(_ count: Int, from descriptor: Int32) -> Int {
  var octets = [UInt8](repeating: 0, count: count)
  return max(0, unsafe read(descriptor, &octets, count))
}

@Test("A slice that isn't in memory is not sent before someone has fetched it")
func coldSlices() throws {
  let path = try scratchFile([UInt8](repeating: 7, count: 1_000_000), isCold: true)
  defer { unsafe unlink(path) }
  let (near, far) = try pair()
  defer {
    close(near)
    close(far)
  }
  var queue = OutputQueue()
  queue.append(file: OutgoingFile(unsafe open(path, O_RDONLY)), offset: 10, count: 900_000)
  guard case .absent(let file, let offset, let count) = queue.write(to: near) else {
    Issue.record("a cold file was sent")
    return
  }
  #expect(offset == 10 && count == TCPStream.fileSlice && take(1, from: far) == 0)
  file.fetch(offset, count)
  #expect(file.isResident(offset, count))
  queue.fetched(until: offset + Int64(count))
  if case .absent = queue.write(to: near) { Issue.record("a fetched file was not sent") }
  #expect(take(1000, from: far) == 1000)
}

@Test("To a reader that never catches up, a queue holds what waits and not what has left")
func queueStaysSmall() throws {
  let (near, far) = try pair()
  defer {
    close(near)
    close(far)
  }
  var queue = OutputQueue()
  for _ in 0..<50 { queue.append([UInt8](repeating: 1, count: 16_000)) }
  _ = queue.write(to: near)
  var passed = 0
  while passed < 10_000_000 {
    let count = take(8000, from: far)
    passed += count
    queue.append([UInt8](repeating: 1, count: count))
    _ = queue.write(to: near)
    try #require(queue.count > 0)
  }
  #expect(queue.bufferCapacity < 4_000_000)
}

@Test("A connection that is quiet again holds no buffer")
func quietConnectionsAreSmall() async throws {
  try await withLoop { loop in
    let echoes = Lock<[Echo]>([])
    let listener = try TCPListener(anyPort, on: loop) { socket in
      let echo = Echo(socket, on: loop)
      echoes.withLock { $0.append(echo) }
      loop.spawn { try? await echo.startReceiving() }
    }
    let connection = try await TCPConnection.connect(to: listener.address, on: loop)
    try await connection.write([UInt8](repeating: 7, count: 10_000))
    var count = 0
    while count < 10_000 { count += try await connection.read().count }
    let echo = try #require(echoes.withLock { $0.first })
    let capacities = await onLoop(loop) {
      [
        echo.stream.output.bufferCapacity,
        connection.assumeIsolated { $0.stream.output.bufferCapacity },
      ]
    }
    #expect(capacities == [0, 0])
    await connection.close()
    await listener.drain()
  }
}
