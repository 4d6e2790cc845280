import EventLoop
import Glibc
import Testing

@testable import ServiceKit

@Suite(.timeLimit(.minutes(1))) struct LogRingTests {
  private func pipe() -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [0, 0]
    _ = unsafe Glibc.pipe(&ends)
    return (ends[0], ends[1])
  }

  /// Far more than a pipe takes.
  private let lines = (0..<4000).map { Array("line \($0) \(String(repeating: "x", count: 100))\n".utf8) }

  @Test("The last words are out before the process may end, also those that the writer holds already")
  func lastWords() async throws {
    let (reading, writing) = pipe()
    let ring = LogRing(descriptor: writing)
    for line in lines { ring.write(line) }
    let size = lines.reduce(0) { $0 + $1.count }
    let read = Lock((octets: 0, isAtEnd: false))
    try SystemThread.spawn(name: "reader") {
      var buffer = [UInt8](repeating: 0, count: 65_536)
      while case let count = unsafe Glibc.read(reading, &buffer, buffer.count), count > 0 {
        read.withLock { $0.octets += count }
      }
      read.withLock { $0.isAtEnd = true }
    }
    #expect(ring.flush(within: .seconds(60)))
    // As the process would: what was not written by now is lost.
    close(writing)
    while !read.withLock({ $0.isAtEnd }), !Task.isCancelled { await Task.yield() }
    #expect(read.withLock { $0.octets } == size)
    close(reading)
  }

  @Test("A pipe that nobody reads does not keep the process from ending")
  func stuckPipe() {
    // As every service does.
    signal(SIGPIPE, SIG_IGN)
    let (reading, writing) = pipe()
    let ring = LogRing(descriptor: writing)
    for line in lines { ring.write(line) }
    #expect(!ring.flush(within: .milliseconds(20)))
    // The writer, which waits for the pipe, ends with its reader.
    close(reading)
    #expect(ring.flush(within: .seconds(60)))
    close(writing)
  }

  @Test("What was dropped is told in the log itself")
  func droppedLines() async throws {
    let (reading, writing) = pipe()
    let ring = LogRing(descriptor: writing)
    for _ in 0..<3 { for line in lines { ring.write(line) } }
    #expect(ring.droppedCount > 0)
    let text = Lock("")
    try SystemThread.spawn(name: "reader") {
      var buffer = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = unsafe Glibc.read(reading, &buffer, buffer.count)
        if count <= 0 { return }
        text.withLock { $0 += String(decoding: buffer[..<count], as: UTF8.self) }
      }
    }
    #expect(ring.flush(within: .seconds(60)))
    while !text.withLock({ $0.contains("\(ring.droppedCount) log lines were dropped") }) { await Task.yield() }
    close(writing)
    close(reading)
  }
}
