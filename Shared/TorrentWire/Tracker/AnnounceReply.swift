public import Octets

/// What a tracker answers to an announce.
public struct AnnounceReply: Sendable, Equatable {
  public typealias Peer = PeerList.Element

  /// Seconds until the next regular announce.
  public var interval: Int
  /// Seconds before which none is welcome.
  public var minInterval: Int?
  public var seeders: Int
  public var leechers: Int
  /// How often the torrent was completed.
  public var downloads: Int?
  public var peers = PeerList()
  public var trackerID: [UInt8]?
  /// Where the client comes from, as the tracker sees it (BEP 24).
  public var externalAddress: IPAddress?
  public var warning: String?

  public init(interval: Int, seeders: Int, leechers: Int) {
    self.interval = interval
    self.seeders = seeders
    self.leechers = leechers
  }
}

extension AnnounceReply {
  public enum Form: Sendable {
    /// `peers` and `peers6` are octets (BEP 23, BEP 7).
    case compact
    /// `peers` is a list of dictionaries (BEP 3).
    case dictionaries(withIDs: Bool)
  }

  public func encoded(_ form: Form) -> [UInt8] {
    var writer = BencodeWriter()
    writer.dictionary { answer in
      answer.member("complete", seeders)
      if let downloads { answer.member("downloaded", downloads) }
      if let externalAddress { answer.member("external ip", externalAddress.bytes) }
      answer.member("incomplete", leechers)
      answer.member("interval", interval)
      if let minInterval { answer.member("min interval", minInterval) }
      switch form {
      case .compact:
        answer.member("peers", compact(isV6: false))
        let v6 = compact(isV6: true)
        if !v6.isEmpty { answer.member("peers6", v6) }
      case .dictionaries(let withIDs):
        answer.member("peers") { list in
          list.list { items in
            for peer in peers {
              items.dictionary { item in
                item.member("ip", "\(peer.address.ip)")
                if withIDs, let id = peer.id { item.member("peer id", id.octets) }
                item.member("port", peer.address.port)
              }
            }
          }
        }
      }
      if let trackerID { answer.member("tracker id", trackerID) }
      if let warning { answer.member("warning message", warning) }
    }
    return writer.octets
  }

  private func compact(isV6: Bool) -> [UInt8] {
    var octets: [UInt8] = []
    peers.append(isV6: isV6, to: &octets)
    return octets
  }

  /// Peers of an answer that are taken, at most.
  public static let peerLimit = 5000

  /// - Throws: the tracker's failure, or what is wrong with its answer.
  public init(decoding octets: ArraySlice<UInt8>) throws(TrackerFailure) {
    let answer = try TrackerFailure.answer(octets)
    guard let interval = answer["interval"]?.integer, 0...Int64(Int32.max) ~= interval else {
      throw TrackerFailure("the answer has no interval")
    }
    let count = { (key: String) in Int(clamping: max(0, answer[key]?.integer ?? 0)) }
    self.init(interval: Int(interval), seeders: count("complete"), leechers: count("incomplete"))
    minInterval = answer["min interval"]?.integer.flatMap { Int(exactly: $0) }.flatMap { $0 >= 0 ? $0 : nil }
    downloads = answer["downloaded"]?.integer.map { Int(clamping: max(0, $0)) }
    peers = PeerList(try Self.peers(answer))
    trackerID = answer["tracker id"]?.string.flatMap {
      $0.count <= AnnounceRequest.tokenLimit ? Array($0) : nil
    }
    externalAddress = answer["external ip"]?.string.flatMap { IPAddress(bytes: $0) }
    warning = answer["warning message"]?.text.map { String($0.unicodeScalars.prefix(500)) }
  }

  private static func peers(_ answer: Bencode) throws(TrackerFailure) -> [Peer] {
    var peers: [Peer] = []
    for (key, isV6) in [("peers", false), ("peers6", true)] {
      if let octets = answer[key]?.string {
        guard let addresses = CompactPeers.decode(octets, isV6: isV6) else {
          throw TrackerFailure("\(key) is no whole number of addresses")
        }
        peers += addresses.map { Peer(address: $0) }
      }
      for item in answer[key]?.list ?? [] {
        guard let port = item["port"]?.integer.flatMap({ UInt16(exactly: $0) }), let ip = item["ip"]?.text else {
          continue
        }
        // It may be a name, which nobody has to look up.
        guard let ip = IPAddress(ip) else { continue }
        peers.append(
          Peer(address: SocketAddress(ip: ip, port: port), id: item["peer id"]?.string.flatMap { PeerID($0) }))
      }
    }
    return Array(peers.lazy.filter { $0.address.port != 0 }.prefix(peerLimit))
  }
}

extension TrackerFailure {
  /// The dictionary that an HTTP tracker answered.
  /// - Throws: the failure that it tells.
  static func answer(_ octets: ArraySlice<UInt8>) throws(TrackerFailure) -> Bencode {
    guard let answer = try? Bencode.decode(octets), answer.dictionary != nil else {
      throw TrackerFailure("the answer is no bencoded dictionary")
    }
    guard let reason = answer["failure reason"]?.text else { return answer }
    var failure = TrackerFailure(String(reason.unicodeScalars.prefix(500)))
    if let minutes = answer["retry in"]?.integer, 0...10_080 ~= minutes { failure.retry = .minutes(Int(minutes)) }
    if answer["retry in"]?.text == "never" { failure.retry = .never }
    throw failure
  }
}

/// What a tracker tells of a torrent without its peers (BEP 48).
public struct ScrapeEntry: Sendable, Equatable {
  public var infoHash: InfoHash
  public var seeders: Int
  public var leechers: Int
  /// How often it was completed.
  public var downloads: Int

  public init(infoHash: InfoHash, seeders: Int, leechers: Int, downloads: Int) {
    self.infoHash = infoHash
    self.seeders = seeders
    self.leechers = leechers
    self.downloads = downloads
  }
}

public enum ScrapeReply {
  /// - Parameter minInterval: seconds before which another scrape is not welcome.
  public static func encode(_ entries: [ScrapeEntry], minInterval: Int? = nil) -> [UInt8] {
    var writer = BencodeWriter()
    writer.dictionary { answer in
      answer.member("files") { files in
        files.dictionary { dictionary in
          var last: InfoHash?
          for entry in entries.sorted(by: { $0.infoHash < $1.infoHash }) where entry.infoHash != last {
            last = entry.infoHash
            dictionary.member(entry.infoHash.octets) { file in
              file.dictionary { counts in
                counts.member("complete", entry.seeders)
                counts.member("downloaded", entry.downloads)
                counts.member("incomplete", entry.leechers)
              }
            }
          }
        }
      }
      if let minInterval {
        answer.member("flags") { flags in flags.dictionary { $0.member("min_request_interval", minInterval) } }
      }
    }
    return writer.octets
  }

  /// - Throws: the tracker's failure, or what is wrong with its answer.
  public static func decode(_ octets: ArraySlice<UInt8>) throws(TrackerFailure) -> [ScrapeEntry] {
    let answer = try TrackerFailure.answer(octets)
    guard let files = answer["files"]?.dictionary else { throw TrackerFailure("the answer has no files") }
    return files.compactMap { file in
      guard let hash = InfoHash(file.key) else { return nil }
      let count = { (key: String) in Int(clamping: max(0, file.value[key]?.integer ?? 0)) }
      return ScrapeEntry(
        infoHash: hash, seeders: count("complete"), leechers: count("incomplete"), downloads: count("downloaded"))
    }
  }
}
