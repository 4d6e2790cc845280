/// A letter that is open, as a POP3 session sees it: how large it is. How it is read is the service's business.
final class POP3Letter: Sendable {
  /// In octets.
  let size: Int
  /// The next octets from an offset on; none only at the end.
  let read: @Sendable (Int) async throws -> [UInt8]

  init(size: Int, read: @escaping @Sendable (Int) async throws -> [UInt8]) {
    self.size = size
    self.read = read
  }
}

extension POP3Letter: Equatable {
  static func == (one: POP3Letter, other: POP3Letter) -> Bool { one === other }
}
