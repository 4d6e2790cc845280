/// Why a peer's octets can't be messages: the connection ends.
public enum PeerFault: Error, Equatable, Sendable {
  /// A message longer than any of its kind may be.
  case tooLong(id: UInt8?, length: Int)
  /// Shorter or longer than its kind has to be.
  case badLength(id: UInt8, length: Int)
  /// A piece that the torrent does not have, or a block that is not within one.
  case outOfRange(id: UInt8)
}

/// Takes a connection's octets apart into messages, however they were cut on their way.
public struct PeerMessageDecoder: Sendable {
  /// Pieces of the torrent; nil while they are not known (BEP 9).
  public var pieceCount: Int?
  /// A message that has begun and not come whole. All others are read where they lie.
  private var begun: [UInt8] = []

  /// Octets of an extension's message, at most.
  public static let extendedLimit = 262_144
  /// Octets of a bitfield where the number of pieces is not known.
  static let bitfieldLimit = 1_048_576
  /// Pieces of a torrent, at most.
  public static let pieceLimit = 8 * bitfieldLimit

  public init(pieceCount: Int?) { self.pieceCount = pieceCount }

  /// Octets that came and are no whole message yet.
  public var pending: Int { begun.count }

  /// Takes what came, and hands over each message that is whole now.
  ///
  /// - Throws: what is wrong with the one behind those. A length is looked at before what it promises is waited for.
  public mutating func feed(_ octets: RawSpan, _ receive: (PeerMessage) -> Void) throws(PeerFault) {
    var place = 0
    while place < octets.byteCount {
      if begun.isEmpty {
        guard let message = try next(octets, &place) else { return keep(octets, &place, octets.byteCount - place) }
        receive(message)
      } else {
        keep(octets, &place, missing)
        var start = 0
        // Every octet of an array of octets is initialised.
        guard let message = try unsafe next(begun.span.bytes, &start) else { continue }
        begun.removeAll(keepingCapacity: true)
        receive(message)
      }
    }
  }

  public mutating func feed(_ octets: ArraySlice<UInt8>, _ receive: (PeerMessage) -> Void) throws(PeerFault) {
    // Every octet of an array of octets is initialised.
    try unsafe feed(octets.span.bytes, receive)
  }

  /// Octets that the message lacks: first of its length, then of its kind, then of the rest.
  private var missing: Int {
    switch begun.count {
    case ..<4: return 4 - begun.count
    case 4: return 1
    default:
      let bytes = unsafe begun.span.bytes
      var reader = NumberReader(bytes)
      return 4 + Int(reader.uint32(bytes) ?? 0) - begun.count
    }
  }

  private mutating func keep(_ octets: RawSpan, _ place: inout Int, _ count: Int) {
    let part = octets.extracting(droppingFirst: place).extracting(first: count)
    unsafe part.withUnsafeBytes { unsafe begun.append(contentsOf: $0) }
    place += part.byteCount
  }

  /// The message at `place`, which then is behind it; nil while it is not whole.
  private func next(_ octets: RawSpan, _ place: inout Int) throws(PeerFault) -> PeerMessage? {
    let bytes = octets.extracting(droppingFirst: place)
    var reader = NumberReader(bytes)
    guard let word = reader.uint32(bytes) else { return nil }
    guard word > 0 else {
      place += 4
      return .keepAlive
    }
    let length = Int(word) - 1
    guard let id = reader.uint8(bytes) else {
      // Of any kind.
      guard length <= Self.bitfieldLimit else { throw .tooLong(id: nil, length: length) }
      return nil
    }
    try check(id, length)
    guard reader.left >= length else { return nil }
    let message = try message(id, length, &reader, bytes)
    place += 5 + length
    return message
  }

  private func check(_ id: UInt8, _ length: Int) throws(PeerFault) {
    let wanted: ClosedRange<Int>
    switch id {
    case MessageID.choke, MessageID.unchoke, MessageID.interested, MessageID.notInterested, MessageID.haveAll,
      MessageID.haveNone:
      wanted = 0...0
    case MessageID.have, MessageID.suggest, MessageID.allowedFast: wanted = 4...4
    case MessageID.port: wanted = 2...2
    case MessageID.request, MessageID.cancel, MessageID.reject: wanted = 12...12
    case MessageID.piece: wanted = 8...8 + Block.lengthLimit
    case MessageID.bitfield:
      if let pieceCount {
        let count = (pieceCount + 7) / 8
        wanted = count...count
      } else {
        wanted = 0...Self.bitfieldLimit
      }
    case MessageID.extended: wanted = 1...Self.extendedLimit
    default: wanted = 0...Self.extendedLimit
    }
    guard length >= wanted.lowerBound else { throw .badLength(id: id, length: length) }
    guard length <= wanted.upperBound else {
      throw wanted.count == 1 ? .badLength(id: id, length: length) : .tooLong(id: id, length: length)
    }
  }

  private func message(
    _ id: UInt8, _ length: Int, _ reader: inout NumberReader, _ bytes: RawSpan
  ) throws(PeerFault) -> PeerMessage {
    switch id {
    case MessageID.choke: return .choke
    case MessageID.unchoke: return .unchoke
    case MessageID.interested: return .interested
    case MessageID.notInterested: return .notInterested
    case MessageID.have: return .have(piece: try piece(id, &reader, bytes))
    case MessageID.bitfield: return .bitfield(try bitfield(reader.octets(length, bytes)))
    case MessageID.request: return .request(try block(id, &reader, bytes))
    case MessageID.piece:
      let piece = try piece(id, &reader, bytes)
      guard let offset = reader.uint32(bytes) else { throw .badLength(id: id, length: length) }
      return .piece(piece: piece, offset: Int(offset), content: reader.octets(length - 8, bytes))
    case MessageID.cancel: return .cancel(try block(id, &reader, bytes))
    case MessageID.port: return .port(reader.uint16(bytes) ?? 0)
    case MessageID.suggest: return .suggest(piece: try piece(id, &reader, bytes))
    case MessageID.haveAll: return .haveAll
    case MessageID.haveNone: return .haveNone
    case MessageID.reject: return .reject(try block(id, &reader, bytes))
    case MessageID.allowedFast: return .allowedFast(piece: try piece(id, &reader, bytes))
    case MessageID.extended:
      guard let kind = reader.uint8(bytes) else { throw .badLength(id: id, length: length) }
      return .extended(id: kind, payload: reader.octets(length - 1, bytes))
    default: return .unknown(id: id)
    }
  }

  private func piece(_ id: UInt8, _ reader: inout NumberReader, _ bytes: RawSpan) throws(PeerFault) -> Int {
    guard let number = reader.uint32(bytes), Int(number) < pieceCount ?? Self.pieceLimit else {
      throw .outOfRange(id: id)
    }
    return Int(number)
  }

  private func block(_ id: UInt8, _ reader: inout NumberReader, _ bytes: RawSpan) throws(PeerFault) -> Block {
    let piece = try piece(id, &reader, bytes)
    guard let offset = reader.uint32(bytes), let length = reader.uint32(bytes), 1...Block.lengthLimit ~= Int(length)
    else {
      throw .outOfRange(id: id)
    }
    return Block(piece: piece, offset: Int(offset), length: Int(length))
  }

  /// The bits behind the last piece have to be clear (BEP 3).
  private func bitfield(_ bits: [UInt8]) throws(PeerFault) -> [UInt8] {
    guard let pieceCount, pieceCount % 8 != 0, let last = bits.last else { return bits }
    guard last & (0xFF >> UInt8(pieceCount % 8)) == 0 else { throw .outOfRange(id: MessageID.bitfield) }
    return bits
  }
}
