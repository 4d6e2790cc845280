/// What each side of a connection says first (BEP 3).
public struct Handshake: Sendable, Equatable {
  public var infoHash: InfoHash
  public var peerID: PeerID
  /// It knows the messages of the Fast extension (BEP 6).
  public var knowsFast: Bool
  /// It knows the extension protocol (BEP 10).
  public var knowsExtensions: Bool

  public init(infoHash: InfoHash, peerID: PeerID, knowsFast: Bool = true, knowsExtensions: Bool = true) {
    self.infoHash = infoHash
    self.peerID = peerID
    self.knowsFast = knowsFast
    self.knowsExtensions = knowsExtensions
  }

  /// Octets of a handshake.
  public static let size = 68
  /// Octets after which it is known which torrent is meant: who was called waits for these before it answers.
  public static let infoHashEnd = 48
  private static let protocolName = [19] + Array("BitTorrent protocol".utf8)

  public var encoded: [UInt8] {
    var octets = Handshake.protocolName
    octets += [0, 0, 0, 0, 0, knowsExtensions ? 0x10 : 0, 0, knowsFast ? 0x04 : 0]
    infoHash.append(to: &octets)
    peerID.append(to: &octets)
    return octets
  }

  public enum Reading: Sendable, Equatable {
    /// The rest has not come; the torrent's name may have.
    case more(InfoHash?)
    case whole(Handshake)
    /// Something else is spoken here.
    case foreign
  }

  /// From as many octets as have come.
  public static func read(_ octets: some RandomAccessCollection<UInt8>) -> Reading {
    let octets = Array(octets.prefix(size))
    guard octets.starts(with: protocolName) || protocolName.starts(with: octets) else { return .foreign }
    guard octets.count >= infoHashEnd, let infoHash = InfoHash(octets[28..<infoHashEnd]) else { return .more(nil) }
    guard octets.count == size, let peerID = PeerID(octets[infoHashEnd...]) else { return .more(infoHash) }
    return .whole(
      Handshake(
        infoHash: infoHash, peerID: peerID, knowsFast: octets[27] & 0x04 != 0, knowsExtensions: octets[25] & 0x10 != 0))
  }
}
