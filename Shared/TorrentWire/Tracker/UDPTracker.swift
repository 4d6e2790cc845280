import Octets

/// Datagrams of the UDP tracker protocol (BEP 15), both ways. All numbers are in network order.
public enum UDPTracker {
  /// What begins a connect request, so that nobody else's datagram is taken for one.
  static let magic: UInt64 = 0x417_2710_1980
  /// Octets of an announce request without options; it may have more behind it.
  public static let announceSize = 98
  /// Torrents of a scrape, as many as fit a datagram that is not fragmented.
  public static let scrapeLimit = 74

  enum Action: UInt32 {
    case connect = 0, announce, scrape, error
  }

  public enum Request: Sendable, Equatable {
    case connect
    /// - Parameters:
    ///   - connection: what the tracker gave this client to show that it gets what is sent to it.
    ///   - path: of the tracker's URL, with its query (BEP 41).
    case announce(connection: UInt64, AnnounceRequest, path: [UInt8])
    case scrape(connection: UInt64, [InfoHash])
  }

  public enum Reply: Sendable, Equatable {
    case connect(connection: UInt64)
    case announce(AnnounceReply)
    /// In the order of the request's torrents.
    case scrape([Counts])
    case error(String)
  }

  public struct Counts: Sendable, Equatable {
    public var seeders: Int
    public var downloads: Int
    public var leechers: Int

    public init(seeders: Int, downloads: Int, leechers: Int) {
      self.seeders = seeders
      self.downloads = downloads
      self.leechers = leechers
    }
  }

  /// Octets of the path that the options bring, at most.
  static let pathLimit = 1024
}

// MARK: Requests

extension UDPTracker {
  /// Nil for what is no request: nothing is answered to it.
  public static func request(_ datagram: RawSpan) -> (transaction: UInt32, request: Request)? {
    var reader = NumberReader(datagram)
    guard let connection = reader.uint64(datagram), let action = reader.uint32(datagram),
      let transaction = reader.uint32(datagram)
    else {
      return nil
    }
    switch Action(rawValue: action) {
    case .connect: return connection == magic ? (transaction, .connect) : nil
    case .announce:
      guard let announce = announce(&reader, datagram) else { return nil }
      return (transaction, .announce(connection: connection, announce, path: path(&reader, datagram)))
    case .scrape:
      var hashes: [InfoHash] = []
      while hashes.count < scrapeLimit, let hash: InfoHash = reader.name(datagram) { hashes.append(hash) }
      return hashes.isEmpty ? nil : (transaction, .scrape(connection: connection, hashes))
    case .error, nil: return nil
    }
  }

  private static func announce(_ reader: inout NumberReader, _ datagram: RawSpan) -> AnnounceRequest? {
    guard reader.left >= announceSize - 16, let hash: InfoHash = reader.name(datagram),
      let peer: PeerID = reader.name(datagram),
      let downloaded = reader.uint64(datagram), let left = reader.uint64(datagram),
      let uploaded = reader.uint64(datagram),
      let event = reader.uint32(datagram), let address = reader.uint32(datagram), let key = reader.uint32(datagram),
      let wanted = reader.uint32(datagram), let port = reader.uint16(datagram)
    else { return nil }
    var request = AnnounceRequest(infoHash: hash, peerID: peer, port: port)
    request.downloaded = downloaded
    request.uploaded = uploaded
    // Minus one says what a query says by leaving it out.
    request.left = left > UInt64(Int64.max) ? nil : left
    request.event = AnnounceRequest.Event(rawValue: event) ?? .none
    request.claimedAddress = address == 0 ? nil : IPAddress(v4: address)
    request.key = (0..<4).map { UInt8(truncatingIfNeeded: key >> UInt32(24 - 8 * $0)) }
    let count = Int32(bitPattern: wanted)
    request.wanted = count < 0 ? nil : Int(count)
    return request
  }

  /// The options behind an announce (BEP 41): 0 ends them, 1 is nothing, 2 is a piece of the URL's path and query. What can't be
  /// understood ends them too.
  private static func path(_ reader: inout NumberReader, _ datagram: RawSpan) -> [UInt8] {
    var path: [UInt8] = []
    while let option = reader.uint8(datagram) {
      if option == 1 { continue }
      guard option != 0, let length = reader.uint8(datagram), reader.left >= Int(length) else { break }
      let octets = reader.octets(Int(length), datagram)
      if option == 2, path.count + octets.count <= pathLimit { path += octets }
    }
    return path
  }

  public static func encode(_ request: Request, transaction: UInt32) -> [UInt8] {
    var writer = NumberWriter()
    switch request {
    case .connect:
      writer.uint64(magic)
      writer.uint32(Action.connect.rawValue)
      writer.uint32(transaction)
    case .announce(let connection, let announce, let path):
      writer.uint64(connection)
      writer.uint32(Action.announce.rawValue)
      writer.uint32(transaction)
      writer.octets += announce.infoHash.octets + announce.peerID.octets
      writer.uint64(announce.downloaded)
      writer.uint64(announce.left ?? .max)
      writer.uint64(announce.uploaded)
      writer.uint32(announce.event.rawValue)
      writer.uint32(announce.claimedAddress?.v4 ?? 0)
      writer.uint32((announce.key ?? []).prefix(4).reduce(0) { $0 << 8 | UInt32($1) })
      writer.uint32(UInt32(bitPattern: announce.wanted.map { Int32(clamping: $0) } ?? -1))
      writer.uint16(announce.port)
      var rest = path[...]
      while !rest.isEmpty {
        let piece = rest.prefix(255)
        writer.octets += [2, UInt8(piece.count)] + piece
        rest = rest.dropFirst(piece.count)
      }
      if !path.isEmpty { writer.octets.append(0) }
    case .scrape(let connection, let hashes):
      writer.uint64(connection)
      writer.uint32(Action.scrape.rawValue)
      writer.uint32(transaction)
      for hash in hashes.prefix(scrapeLimit) { hash.append(to: &writer.octets) }
    }
    return writer.octets
  }
}

// MARK: Replies

extension UDPTracker {
  public static func encode(_ reply: Reply, transaction: UInt32, into output: inout [UInt8]) {
    var writer = NumberWriter()
    swap(&writer.octets, &output)
    defer { swap(&writer.octets, &output) }
    switch reply {
    case .connect(let connection):
      writer.uint32(Action.connect.rawValue)
      writer.uint32(transaction)
      writer.uint64(connection)
    case .announce(let announce):
      writer.uint32(Action.announce.rawValue)
      writer.uint32(transaction)
      writer.uint32(UInt32(clamping: announce.interval))
      writer.uint32(UInt32(clamping: announce.leechers))
      writer.uint32(UInt32(clamping: announce.seeders))
      for isV6 in [false, true] { announce.peers.append(isV6: isV6, to: &writer.octets) }
    case .scrape(let counts):
      writer.uint32(Action.scrape.rawValue)
      writer.uint32(transaction)
      for count in counts {
        writer.uint32(UInt32(clamping: count.seeders))
        writer.uint32(UInt32(clamping: count.downloads))
        writer.uint32(UInt32(clamping: count.leechers))
      }
    case .error(let reason):
      writer.uint32(Action.error.rawValue)
      writer.uint32(transaction)
      writer.octets += reason.utf8
    }
  }

  /// Nil for what is no reply.
  /// - Parameter isV6: whether it came by IPv6, where an address of a peer has 18 octets.
  public static func reply(_ datagram: RawSpan, isV6: Bool) -> (transaction: UInt32, reply: Reply)? {
    var reader = NumberReader(datagram)
    guard let action = reader.uint32(datagram), let transaction = reader.uint32(datagram) else { return nil }
    switch Action(rawValue: action) {
    case .connect: return reader.uint64(datagram).map { (transaction, .connect(connection: $0)) }
    case .announce:
      guard let interval = reader.uint32(datagram), let leechers = reader.uint32(datagram),
        let seeders = reader.uint32(datagram)
      else { return nil }
      var reply = AnnounceReply(interval: Int(interval), seeders: Int(seeders), leechers: Int(leechers))
      let size = isV6 ? CompactPeers.v6Size : CompactPeers.v4Size
      let whole = reader.octets(reader.left / size * size, datagram)
      for address in CompactPeers.decode(whole[...], isV6: isV6) ?? [] where address.port != 0 {
        reply.peers.append(address)
      }
      return (transaction, .announce(reply))
    case .scrape:
      var counts: [Counts] = []
      while let seeders = reader.uint32(datagram), let downloads = reader.uint32(datagram),
        let leechers = reader.uint32(datagram)
      {
        counts.append(Counts(seeders: Int(seeders), downloads: Int(downloads), leechers: Int(leechers)))
      }
      return (transaction, .scrape(counts))
    case .error:
      return (transaction, .error(String(decoding: reader.octets(500, datagram), as: UTF8.self)))
    case nil: return nil
    }
  }
}
