import EventLoop

/// A letter that is read piece by piece, so that nobody has to hold all of it. It stays readable when its message is deleted
/// meanwhile.
final class LetterReader: Sendable {
  /// In octets.
  let size: Int
  /// What is in memory: the Return-Path line, and all the rest of a letter that is a row.
  private let head: [UInt8]
  private let body: (file: OpenBody, pool: BlockingPool)?

  /// Octets of a piece: enough for a loop's turn, little enough to hold for each who reads.
  static let pieceSize = 131_072

  init(_ content: [UInt8]) {
    head = content
    body = nil
    size = content.count
  }

  /// - Parameter size: of the body, in octets.
  init(_ head: [UInt8], _ body: OpenBody, size: Int, in pool: BlockingPool) {
    self.head = head
    self.body = (body, pool)
    self.size = head.count + size
  }

  /// The octets from `offset` on, fewer than `limit` at the end only.
  /// - Throws: where the file can't be read or is shorter than it was.
  func read(from offset: Int, atMost limit: Int = LetterReader.pieceSize) async throws -> [UInt8] {
    let end = offset + min(limit, size - offset)
    var octets = Array(head[min(offset, head.count)..<min(end, head.count)])
    if let body, end > head.count {
      let start = max(offset, head.count) - head.count
      let count = end - head.count - start
      octets += try await body.pool.run { try body.file.read(from: start, count: count) }
    }
    return octets
  }

  func whole() async throws -> [UInt8] { try await read(from: 0, atMost: size) }
}
