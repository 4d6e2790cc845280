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
    // The ring twice over and more: once the writer may take all of it, before the pipe stops it.
    for _ in 0..<5 { for line in lines { ring.write(line) } }
    #expect(ring.droppedCount > 0)
    let text = Lock<[UInt8]>([])
    try SystemThread.spawn(name: "reader") {
      var buffer = [UInt8](repeating: 0, count: 65_536)
      while case let count = unsafe Glibc.read(reading, &buffer, buffer.count), count > 0 {
        text.withLock { $0 += buffer[..<count] }
      }
    }
    #expect(ring.flush(within: .seconds(60)))
    // In one line or, where the writer took some of them on the way, in several.
    while text.withLock({ Self.told(in: $0) }) < ring.droppedCount, !Task.isCancelled { await Task.yield() }
    #expect(text.withLock { Self.told(in: $0) } == ring.droppedCount)
    close(writing)
    close(reading)
  }

  /// How many lines the log says were dropped.
  private static func told(in log: [UInt8]) -> Int {
    log.split(separator: 0x0A).lazy.filter { $0.first == UInt8(ascii: "{") }
      .compactMap { line -> Int? in
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        return words.first.flatMap { $0.split(separator: "\"").last }.flatMap { Int($0) }
      }.reduce(0, +)
  }
}
