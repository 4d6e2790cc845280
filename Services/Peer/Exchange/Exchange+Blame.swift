import EventLoop
import Octets
import TorrentWire

/// What becomes of those who give bad data.
///
/// Who alone gave a bad piece, or other octets than the good copy has, is banned at once, as libtorrent does it, where others have the piece
/// too: nothing is lost with it. The only source of a piece may have a disk that rots: it is asked for the piece once more; where that is
/// bad too, no more for this piece, but for the others; and it is banned with the second piece.
extension Exchange {
  /// Who was at the other end of a connection, also when it has gone: it may turn out later what it gave.
  struct Origin {
    var address: SocketAddress
    var id: PeerID
  }

  func blame(_ culprit: PeerNumber, for piece: Int, at now: Instant) {
    if webSeeds[culprit] != nil { return refuse(webSeed: culprit, at: now) }
    guard let origin = origins[culprit] else { return }
    let isElsewhere =
      inOrder.contains { $0.number != culprit && $0.pieces[piece] }
      || webSeeds.values.contains { $0.state != .refused }
    let times = remember(piece, spoiltBy: origin.address.ip)
    if isElsewhere || times == nil { return ban(origin, at: now) }
    if times == 2 { picker.shun(piece, of: culprit) }
  }

  /// It is asked no more. The next piece was asked of it before this one's hash was known: others get that one too.
  private func refuse(webSeed seed: PeerNumber, at now: Instant) {
    guard let before = webSeeds[seed], before.state != .refused else { return }
    webSeeds[seed]?.state = .refused
    tell(.webSeedRefused(before.url))
    guard case .fetching(let next) = before.state else { return }
    actions.append(.abandon(seed))
    release(next, from: seed)
    askEverybody(at: now)
  }

  /// - Returns: how often the address has spoilt this piece; nil where it is to be forgiven no more. To come anew helps nobody.
  private func remember(_ piece: Int, spoiltBy address: IPAddress) -> Int? {
    if let before = spoilt[address], before.piece != piece || before.times >= 2 { return nil }
    if spoilt.count >= Self.spoiltLimit { spoilt = [:] }
    spoilt[address, default: (piece, 0)].times += 1
    return spoilt[address]?.times
  }

  private static let spoiltLimit = 2000

  /// Behind one address may be many (NAT). Where another one there has given what is right, the culprit goes alone; but not without end,
  /// for names cost nothing.
  func ban(_ origin: Origin, at now: Instant) {
    let address = origin.address.ip
    let hasHonest = inOrder.contains { $0.address.ip == address && $0.id != origin.id && $0.goodPieces > 0 }
    let others = bannedAlone[address] ?? []
    guard hasHonest, others.count < Self.aloneLimit else { return ban(address, at: now) }
    guard bannedAlone[address, default: []].insert(origin.id).inserted else { return }
    tell(.bannedAlone(origin.address))
    for peer in inOrder where peer.address.ip == address && peer.id == origin.id { close(peer, .badData, at: now) }
  }

  private static let aloneLimit = 3

  func ban(_ address: IPAddress, at now: Instant) {
    guard banned.insert(address).inserted else { return }
    bannedAlone[address] = nil
    tell(.banned(address))
    for peer in inOrder where peer.address.ip == address { close(peer, .badData, at: now) }
  }

  func isBanned(_ address: SocketAddress, _ id: PeerID) -> Bool {
    banned.contains(address.ip) || bannedAlone[address.ip]?.contains(id) == true
  }
}
