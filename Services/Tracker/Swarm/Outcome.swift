import Octets
import TorrentWire

/// What came of an announce.
struct Outcome: Sendable {
  var before: Member?
  /// What its client had said of itself before, at whichever of its addresses.
  var counted: Progress?
  var seeders: Int
  var leechers: Int
  var downloads: Int
  var chosen: PeerList
  /// For what is to differ from announce to announce.
  var random: UInt64
  /// It has become a member.
  var isNew: Bool
  var isStopped: Bool
  var hasCompleted: Bool

  /// Of a torrent that nobody knows.
  static let nobody = Outcome(
    seeders: 0, leechers: 0, downloads: 0, chosen: [], random: 0, isNew: false, isStopped: true, hasCompleted: false)

  /// What of it is worth to be told; nil for an announce like the one before.
  func event(of member: Member, in hash: InfoHash) -> TrackerEvent? {
    if isStopped { return before == nil ? nil : .peerStopped(hash, member.address) }
    if hasCompleted { return .peerCompleted(hash, member.address) }
    return isNew ? .peerStarted(hash, member.address) : nil
  }
}

/// What a peer says and asks with one announce.
struct Announcement: Sendable {
  var member: Member
  /// Its numbers begin anew.
  var isStarted = false
  /// It goes: it is no member any more, and told of nobody.
  var isStopped = false
  /// It says that it has just completed the torrent.
  var hasCompleted = false
  /// Peers that it is told of at most.
  var wanted: Int
  /// Of which addresses, in this order; true is IPv4.
  var families: [Bool]
  /// It asked for their ids too.
  var wantsIDs = false
}

extension Swarm {
  /// Takes in what a peer says and chooses whom it is told of.
  /// - Parameters:
  ///   - now: whose time is over then is gone.
  ///   - room: members that there may be; one more takes nobody's place and is told of the others all the same.
  mutating func take(
    _ announcement: Announcement, at now: Int64, room: Int, keepsProgress: Bool,
    using generator: inout some RandomNumberGenerator
  ) -> Outcome {
    let member = announcement.member
    _ = expire(at: now)
    let downloads = downloads
    let counted = member.progress?.user == nil ? nil : counted(of: member)
    var before: Member?
    var isNew = false
    if announcement.isStopped {
      before = remove(member.address)
    } else if member.address.port != 0, count < room || self.member(at: member.address) != nil {
      // At port 0 nobody can call it, so nobody is told of it.
      before = update(member, at: now, hasCompleted: announcement.hasCompleted, keepsProgress: keepsProgress)
      isNew = before == nil
    }
    note(member, isStarted: announcement.isStarted)
    let chosen =
      announcement.isStopped
      ? PeerList()
      : choose(
        announcement.wanted, for: member, families: announcement.families, wantsIDs: announcement.wantsIDs,
        using: &generator)
    return Outcome(
      before: before, counted: counted, seeders: seeders, leechers: leechers, downloads: self.downloads, chosen: chosen,
      random: generator.next(), isNew: isNew, isStopped: announcement.isStopped,
      hasCompleted: self.downloads != downloads)
  }
}
