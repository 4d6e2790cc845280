/// A part of a piece, as it is asked for and sent.
public struct Block: Hashable, Sendable {
  public var piece: Int
  /// Octets from the piece's beginning.
  public var offset: Int
  /// Octets.
  public var length: Int

  public init(piece: Int, offset: Int, length: Int) {
    self.piece = piece
    self.offset = offset
    self.length = length
  }

  /// What everybody asks for at a time (BEP 3).
  public static let size = 16_384
  /// The most that is sent when others ask for more.
  public static let lengthLimit = 131_072
}

/// What peers say after their handshakes (BEP 3, 6, 10).
public enum PeerMessage: Sendable, Equatable {
  case keepAlive
  case choke, unchoke, interested, notInterested
  case have(piece: Int)
  /// The first octet's highest bit is piece 0.
  case bitfield([UInt8])
  case request(Block)
  case piece(piece: Int, offset: Int, content: [UInt8])
  case cancel(Block)
  /// Where the sender's DHT node listens (BEP 5), of which nothing is made here.
  case port(UInt16)
  // The Fast extension (BEP 6).
  case suggest(piece: Int)
  case haveAll, haveNone
  case reject(Block)
  case allowedFast(piece: Int)
  /// A message of the extension protocol (BEP 10): 0 is its handshake, the others are what the receiver's handshake called so.
  case extended(id: UInt8, payload: [UInt8])
  /// One that is not known here, which does no harm.
  case unknown(id: UInt8)
}

enum MessageID {
  static let choke: UInt8 = 0
  static let unchoke: UInt8 = 1
  static let interested: UInt8 = 2
  static let notInterested: UInt8 = 3
  static let have: UInt8 = 4
  static let bitfield: UInt8 = 5
  static let request: UInt8 = 6
  static let piece: UInt8 = 7
  static let cancel: UInt8 = 8
  static let port: UInt8 = 9
  static let suggest: UInt8 = 13
  static let haveAll: UInt8 = 14
  static let haveNone: UInt8 = 15
  static let reject: UInt8 = 16
  static let allowedFast: UInt8 = 17
  static let extended: UInt8 = 20
}

extension PeerMessage {
  /// What stands before a block's octets in a piece message, for who sends those without a copy.
  public static func pieceHead(_ block: Block) -> [UInt8] {
    var writer = NumberWriter()
    writer.uint32(UInt32(clamping: pieceHeadSize - 4 + block.length))
    writer.octets.append(MessageID.piece)
    writer.uint32(UInt32(clamping: block.piece))
    writer.uint32(UInt32(clamping: block.offset))
    return writer.octets
  }

  public static let pieceHeadSize = 13

  public func append(to output: inout [UInt8]) {
    var writer = NumberWriter()
    swap(&writer.octets, &output)
    defer { swap(&writer.octets, &output) }
    func begin(_ id: UInt8, _ payload: Int) {
      writer.uint32(UInt32(1 + payload))
      writer.octets.append(id)
    }
    func numbers(_ id: UInt8, _ numbers: Int...) {
      begin(id, 4 * numbers.count)
      for number in numbers { writer.uint32(UInt32(clamping: number)) }
    }
    switch self {
    case .keepAlive: writer.uint32(0)
    case .choke: begin(MessageID.choke, 0)
    case .unchoke: begin(MessageID.unchoke, 0)
    case .interested: begin(MessageID.interested, 0)
    case .notInterested: begin(MessageID.notInterested, 0)
    case .have(let piece): numbers(MessageID.have, piece)
    case .bitfield(let bits):
      begin(MessageID.bitfield, bits.count)
      writer.octets += bits
    case .request(let block): numbers(MessageID.request, block.piece, block.offset, block.length)
    case .piece(let piece, let offset, let content):
      begin(MessageID.piece, 8 + content.count)
      writer.uint32(UInt32(clamping: piece))
      writer.uint32(UInt32(clamping: offset))
      writer.octets += content
    case .cancel(let block): numbers(MessageID.cancel, block.piece, block.offset, block.length)
    case .port(let port):
      begin(MessageID.port, 2)
      writer.uint16(port)
    case .suggest(let piece): numbers(MessageID.suggest, piece)
    case .haveAll: begin(MessageID.haveAll, 0)
    case .haveNone: begin(MessageID.haveNone, 0)
    case .reject(let block): numbers(MessageID.reject, block.piece, block.offset, block.length)
    case .allowedFast(let piece): numbers(MessageID.allowedFast, piece)
    case .extended(let id, let payload):
      begin(MessageID.extended, 1 + payload.count)
      writer.octets.append(id)
      writer.octets += payload
    case .unknown(let id): begin(id, 0)
    }
  }

  public var encoded: [UInt8] {
    var octets: [UInt8] = []
    append(to: &octets)
    return octets
  }
}
