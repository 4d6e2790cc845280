import Octets
import TorrentWire

/// A peer of a torrent as the tracker knows it: at one address and port, whatever it calls itself.
struct Member: Sendable, Equatable {
  var address: SocketAddress
  var client: Client
  var isSeeder: Bool
  /// Nil where the tracker does not keep it.
  var progress: Progress?
  /// So many intervals at once it was asked to wait, since the tracker was busy.
  var stretch = 1
  /// It is forgotten when it was not heard of until then: seconds of the world's clock.
  var expires: Int64
  /// It was counted among the downloads.
  var hasCompleted = false

  /// What four bits hold: a tracker that has more to do asks for no more patience.
  static let longestStretch = 15
}

/// What a peer says it has moved, which nobody needs to choose among peers.
struct Progress: Sendable, Equatable {
  var uploaded: UInt64
  var downloaded: UInt64
  /// Octets it lacks; nil where it does not know.
  var left: UInt64?
  /// Whose key it announced with.
  var user: Int64?

  /// As much as either says that was moved; of another user the other says nothing.
  func most(_ other: Progress?) -> Progress {
    guard let other, other.user == user else { return self }
    var most = self
    most.uploaded = max(uploaded, other.uploaded)
    most.downloaded = max(downloaded, other.downloaded)
    return most
  }
}

/// A program by its id and the key that it tells trackers alone, wherever it comes from (BEP 7).
struct Client: Hashable, Sendable {
  let id: PeerID
  /// A hash of the key; 0 where it gave none, and is known again at its own address alone.
  let mark: UInt16

  static let markBits: UInt16 = 11

  init(id: PeerID, key: [UInt8]?) {
    self.id = id
    guard let key else {
      mark = 0
      return
    }
    // By UDP it is a number, which by HTTP is written with eight digits.
    let number = key.count == 8 ? Hex.decode(String(decoding: key, as: UTF8.self)) : nil
    var hasher = Hasher()
    hasher.combine(number ?? key)
    mark = UInt16(UInt(bitPattern: hasher.finalize()) % (1 << UInt(Client.markBits) - 1)) + 1
  }

  init(id: PeerID, mark: UInt16) {
    self.id = id
    self.mark = mark
  }
}
