/// Which pieces there are, as it stands on the wire: the first octet's highest bit is piece 0 (BEP 3).
public struct Bitfield: Sendable, Equatable {
  public let pieceCount: Int
  /// How many pieces there are.
  public private(set) var held = 0
  public private(set) var octets: [UInt8]

  /// None, or all.
  public init(pieceCount: Int, isFull: Bool = false) {
    self.pieceCount = pieceCount
    octets = Array(repeating: isFull ? 0xFF : 0, count: (pieceCount + 7) / 8)
    if isFull {
      held = pieceCount
      if pieceCount % 8 != 0 { octets[octets.count - 1] = ~(0xFF >> UInt8(pieceCount % 8)) }
    }
  }

  /// As it came; nil where it is not of so many pieces.
  public init?(_ octets: [UInt8], pieceCount: Int) {
    guard octets.count == (pieceCount + 7) / 8 else { return nil }
    if pieceCount % 8 != 0, let last = octets.last, last & (0xFF >> UInt8(pieceCount % 8)) != 0 { return nil }
    self.pieceCount = pieceCount
    self.octets = octets
    held = octets.reduce(0) { $0 + $1.nonzeroBitCount }
  }

  public var isFull: Bool { held == pieceCount }
  public var isEmpty: Bool { held == 0 }

  public subscript(_ piece: Int) -> Bool {
    get { octets[piece >> 3] & (0x80 >> UInt8(piece & 7)) != 0 }
    set {
      guard self[piece] != newValue else { return }
      octets[piece >> 3] ^= 0x80 >> UInt8(piece & 7)
      held += newValue ? 1 : -1
    }
  }

  /// How many of its pieces the other lacks and are among the wanted; all three are of the same torrent.
  public func count(lackedBy other: Bitfield, among wanted: Bitfield) -> Int {
    var count = 0
    for index in octets.indices {
      count += (octets[index] & ~other.octets[index] & wanted.octets[index]).nonzeroBitCount
    }
    return count
  }

  /// Whether it has a piece that the other lacks.
  public func hasSomething(for other: Bitfield) -> Bool {
    zip(octets, other.octets).contains { $0 & ~$1 != 0 }
  }
}
