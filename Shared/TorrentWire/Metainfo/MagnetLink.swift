import Octets

/// A magnet link (BEP 9): a torrent's name, and where to ask for the rest.
public struct MagnetLink: Sendable, Equatable {
  public var infoHash: InfoHash
  /// What to call it until its own name is known.
  public var name: String?
  public var trackers: [String] = []
  public var webSeeds: [String] = []
  /// Peers to ask at once, `host:port` each.
  public var peers: [String] = []

  public init(infoHash: InfoHash, name: String? = nil, trackers: [String] = []) {
    self.infoHash = infoHash
    self.name = name
    self.trackers = trackers
  }

  /// Octets of a link, at most.
  public static let lengthLimit = 65_536

  public init(_ text: some StringProtocol) throws(TorrentError) {
    let octets = Array(text.utf8)
    let scheme = Array("magnet:?".utf8)
    guard octets.count <= Self.lengthLimit else {
      throw TorrentError("the link is longer than \(Self.lengthLimit) octets")
    }
    guard octets.prefix(scheme.count).equalsIgnoringASCIICase(scheme) else {
      throw TorrentError("a magnet link begins with magnet:?")
    }
    var infoHash: InfoHash?
    var isV2 = false
    var link = (name: String?.none, trackers: [String](), webSeeds: [String](), peers: [String]())
    for pair in octets[scheme.count...].split(separator: 0x26) {
      let equals = pair.firstIndex(of: 0x3D) ?? pair.endIndex
      // A number may follow the key: tr.1, tr.2.
      let key = String(decoding: pair[..<equals], as: UTF8.self).lowercased()
      let value = String(
        decoding: PercentEncoding.decode(pair[equals...].dropFirst(), plusIsSpace: true), as: UTF8.self)
      switch key.split(separator: ".").first {
      case "xt":
        if let hash = Self.infoHash(value) { infoHash = infoHash ?? hash }
        isV2 = isV2 || value.lowercased().hasPrefix("urn:btmh:")
      case "dn": link.name = value
      case "tr" where link.trackers.count < Metainfo.urlLimit: link.trackers.append(value)
      case "ws" where link.webSeeds.count < Metainfo.urlLimit: link.webSeeds.append(value)
      case "x" where key == "x.pe" && link.peers.count < Metainfo.urlLimit: link.peers.append(value)
      default: break
      }
    }
    guard let infoHash else {
      throw TorrentError(
        isV2 ? "the link names a torrent of version 2 alone" : "the link has no xt=urn:btih: with 40 or 32 characters")
    }
    self.infoHash = infoHash
    (name, trackers, webSeeds, peers) = link
  }

  /// Forty hexadecimal digits, or thirty-two of base 32 as older links have them.
  private static func infoHash(_ urn: String) -> InfoHash? {
    let prefix = "urn:btih:"
    guard urn.lowercased().hasPrefix(prefix) else { return nil }
    let text = urn.dropFirst(prefix.count)
    return InfoHash(hex: text) ?? base32(text.utf8).flatMap { InfoHash($0) }
  }

  /// RFC 4648 §6, for a length that needs no padding.
  private static func base32(_ text: Substring.UTF8View) -> [UInt8]? {
    guard text.count == 32 else { return nil }
    var octets: [UInt8] = []
    var (bits, held): (UInt32, Int) = (0, 0)
    for octet in text {
      let value: UInt8
      switch octet.asciiUppercased {
      case let letter where letter.isASCIILetter: value = letter - 0x41
      case let digit where 0x32...0x37 ~= digit: value = digit - 0x32 + 26
      default: return nil
      }
      bits = bits << 5 | UInt32(value)
      held += 5
      if held >= 8 {
        held -= 8
        octets.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    return octets
  }
}

extension MagnetLink: CustomStringConvertible {
  public var description: String {
    var text = "magnet:?xt=urn:btih:\(infoHash)"
    if let name { text += "&dn=" + PercentEncoding.encode(name) }
    for url in trackers { text += "&tr=" + PercentEncoding.encode(url) }
    for url in webSeeds { text += "&ws=" + PercentEncoding.encode(url) }
    for peer in peers { text += "&x.pe=" + PercentEncoding.encode(peer) }
    return text
  }
}
