public import Octets

/// The extension protocol's handshake (BEP 10): how the sender wants to be told what.
public struct ExtensionHandshake: Sendable, Equatable {
  /// The ids that the sender gave to the extensions it knows; 0 takes one back.
  public var metadataID: UInt8?
  public var exchangeID: UInt8?
  /// Octets of the info dictionary, where the sender has it (BEP 9).
  public var metadataSize: Int?
  /// Its program and version.
  public var client: String?
  /// Where it takes connections.
  public var port: UInt16?
  /// Requests that it lets wait.
  public var requestLimit: Int?
  /// How the receiver looks from there.
  public var yourAddress: IPAddress?

  public init() {}

  /// Octets of an info dictionary that is fetched from peers, at most.
  public static let metadataLimit = 16_777_216

  public var encoded: [UInt8] {
    var writer = BencodeWriter()
    writer.dictionary { handshake in
      handshake.member("m") { ids in
        ids.dictionary { ids in
          if let metadataID { ids.member("ut_metadata", metadataID) }
          if let exchangeID { ids.member("ut_pex", exchangeID) }
        }
      }
      if let metadataSize { handshake.member("metadata_size", metadataSize) }
      if let port { handshake.member("p", port) }
      if let requestLimit { handshake.member("reqq", requestLimit) }
      if let client { handshake.member("v", client) }
      if let yourAddress { handshake.member("yourip", yourAddress.bytes) }
    }
    return writer.octets
  }

  /// Nil for what is no dictionary. A member that makes no sense counts as left out.
  public init?(_ payload: [UInt8]) {
    guard let whole = try? Bencode.decode(payload[...], values: 1000), whole.dictionary != nil else { return nil }
    let id = { (name: String) in whole["m"]?[name]?.integer.flatMap { UInt8(exactly: $0) } }
    metadataID = id("ut_metadata")
    exchangeID = id("ut_pex")
    metadataSize = whole["metadata_size"]?.integer.flatMap { 1...Int64(Self.metadataLimit) ~= $0 ? Int($0) : nil }
    client = whole["v"]?.text.map { String($0.unicodeScalars.prefix(100)) }
    port = whole["p"]?.integer.flatMap { UInt16(exactly: $0) }
    requestLimit = whole["reqq"]?.integer.flatMap { 1...100_000 ~= $0 ? Int($0) : nil }
    yourAddress = whole["yourip"]?.string.flatMap { IPAddress(bytes: $0) }
  }
}

/// `ut_metadata`: the info dictionary in pieces of 16 KiB, for who has a magnet link alone (BEP 9).
public enum MetadataMessage: Sendable, Equatable {
  case request(piece: Int)
  case data(piece: Int, totalSize: Int, content: [UInt8])
  case reject(piece: Int)

  public static let pieceSize = 16_384

  public var encoded: [UInt8] {
    var writer = BencodeWriter()
    var content: [UInt8] = []
    writer.dictionary { message in
      switch self {
      case .request(let piece):
        message.member("msg_type", 0)
        message.member("piece", piece)
      case .data(let piece, let totalSize, let octets):
        message.member("msg_type", 1)
        message.member("piece", piece)
        message.member("total_size", totalSize)
        content = octets
      case .reject(let piece):
        message.member("msg_type", 2)
        message.member("piece", piece)
      }
    }
    return writer.octets + content
  }

  /// Nil for what is none of the three, which is passed over (BEP 9).
  public init?(_ payload: [UInt8]) {
    guard let head = try? Bencode.decodeFirst(payload[...], values: 100), let kind = head["msg_type"]?.integer,
      let piece = head["piece"]?.integer, 0..<Int64(ExtensionHandshake.metadataLimit / Self.pieceSize) ~= piece
    else { return nil }
    switch kind {
    case 0: self = .request(piece: Int(piece))
    case 1:
      let content = payload[head.octets.endIndex...]
      guard let size = head["total_size"]?.integer, 1...Int64(ExtensionHandshake.metadataLimit) ~= size,
        1...Self.pieceSize ~= content.count
      else { return nil }
      self = .data(piece: Int(piece), totalSize: Int(size), content: Array(content))
    case 2: self = .reject(piece: Int(piece))
    default: return nil
    }
  }
}

/// `ut_pex`: whom the sender has met and lost since its last such message (BEP 11).
public struct PeerExchange: Sendable, Equatable {
  public struct Flags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let prefersEncryption = Flags(rawValue: 0x01)
    public static let isSeeder = Flags(rawValue: 0x02)
    public static let supportsUTP = Flags(rawValue: 0x04)
    public static let isReachable = Flags(rawValue: 0x10)
  }

  public struct Added: Sendable, Equatable {
    public var address: SocketAddress
    public var flags: Flags

    public init(address: SocketAddress, flags: Flags = []) {
      self.address = address
      self.flags = flags
    }
  }

  public var added: [Added] = []
  public var dropped: [SocketAddress] = []

  public init() {}

  /// Addresses of each kind in one message, at most; more are left out.
  public static let limit = 50

  public var encoded: [UInt8] {
    func compact(_ addresses: [SocketAddress]) -> [UInt8] {
      var octets: [UInt8] = []
      for address in addresses { CompactPeers.append(address, to: &octets) }
      return octets
    }
    let added = (v4: added.filter { $0.address.ip.isV4 }, v6: added.filter { !$0.address.ip.isV4 })
    var writer = BencodeWriter()
    writer.dictionary { message in
      message.member("added", compact(added.v4.map(\.address)))
      message.member("added.f", added.v4.map(\.flags.rawValue))
      message.member("added6", compact(added.v6.map(\.address)))
      message.member("added6.f", added.v6.map(\.flags.rawValue))
      message.member("dropped", compact(dropped.filter(\.ip.isV4)))
      message.member("dropped6", compact(dropped.filter { !$0.ip.isV4 }))
    }
    return writer.octets
  }

  /// Nil for what is no dictionary, or has half an address.
  public init?(_ payload: [UInt8]) {
    guard let message = try? Bencode.decode(payload[...], values: 100), message.dictionary != nil else { return nil }
    for (suffix, isV6) in [("", false), ("6", true)] {
      let (added, dropped) = (message["added\(suffix)"]?.string ?? [], message["dropped\(suffix)"]?.string ?? [])
      guard let met = CompactPeers.decode(added, isV6: isV6), let lost = CompactPeers.decode(dropped, isV6: isV6) else {
        return nil
      }
      let flags = Array(message["added\(suffix).f"]?.string ?? [])
      for (place, address) in met.prefix(Self.limit).enumerated() where address.port != 0 {
        self.added.append(Added(address: address, flags: Flags(rawValue: place < flags.count ? flags[place] : 0)))
      }
      self.dropped += lost.prefix(Self.limit)
    }
  }
}
