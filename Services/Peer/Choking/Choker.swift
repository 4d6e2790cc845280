import TorrentWire

/// Decides who is given something: those who give most, and now and then somebody who has given nothing yet, to find out whether
/// they would give more (BEP 3).
struct Choker {
  /// What is known of a peer when it is decided.
  struct Candidate: Sendable {
    var number: PeerNumber
    var isInterested: Bool
    var isChoked: Bool
    /// It gave nothing for a minute, though it was asked.
    var isSnubbed: Bool
    /// Octets a second: what it gives, or, where all is here, what it takes.
    var rate: Double
    /// Octets that it gave, unless that is long ago.
    var given: UInt64 = 0
  }

  enum Reason: Equatable, Sendable {
    /// One of those that give most, with octets a second.
    case gives(rate: Int)
    /// Nobody else gives now, and this one did before.
    case gave(octets: UInt64)
    /// All is here: one of those that take most.
    case takes(rate: Int)
    /// It is its turn to show what it gives in return.
    case optimistic
    /// Others give more: the last of those that get something has this rate.
    case outbid(rate: Int, by: Int)
    /// Its turn is over.
    case turnOver
    case notInterested
    /// It gave nothing for a minute.
    case snubbed
    /// This peer gives nothing to anybody.
    case freeRiding
  }

  struct Decision: Equatable, Sendable {
    var peer: PeerNumber
    var unchokes: Bool
    var reason: Reason
  }

  /// Peers that are given something at a time, the optimistic one among them.
  let slots: Int
  /// Everybody, in the order in which they have their turn.
  private var rotation: [PeerNumber] = []
  private(set) var optimistic: PeerNumber?

  /// Seconds between two rounds, and rounds of an optimistic turn (BEP 3).
  static let roundSeconds = 10
  static let optimisticRounds = 3

  init(slots: Int) { self.slots = slots }

  /// A new peer is three times as likely to be the next as to stand at any other place: it has nothing to give yet (BEP 3).
  mutating func add<Random: RandomNumberGenerator>(_ peer: PeerNumber, using random: inout Random) {
    rotation.insert(peer, at: max(0, Int.random(in: -2...rotation.count, using: &random)))
  }

  mutating func remove(_ peer: PeerNumber) {
    rotation.removeAll { $0 == peer }
    if optimistic == peer { optimistic = nil }
  }

  /// Who is choked and who is not from now on.
  /// - Parameters:
  ///   - isSeeding: all is here, so that nobody has anything to give.
  ///   - isNewTurn: the optimistic turn goes to the next.
  mutating func decide(_ candidates: [Candidate], isSeeding: Bool, isNewTurn: Bool) -> [Decision] {
    let known = Dictionary(uniqueKeysWithValues: candidates.map { ($0.number, $0) })
    if isNewTurn || optimistic == nil { turn(known) }
    // Who wants nothing at the moment leaves its place to others, and keeps its turn.
    let optimistic = optimistic.flatMap { known[$0]?.isInterested == true ? $0 : nil }
    let ranked = candidates.filter { $0.isInterested && !$0.isSnubbed && $0.rate > 0 && $0.number != optimistic }
      .sorted { ($0.rate, $1.number) > ($1.rate, $0.number) }
    let best = ranked.prefix(max(0, slots - (optimistic == nil ? 0 : 1)))
    var reasons: [PeerNumber: Reason] = [:]
    for peer in best { reasons[peer.number] = isSeeding ? .takes(rate: Int(peer.rate)) : .gives(rate: Int(peer.rate)) }
    if let optimistic { reasons[optimistic] = .optimistic }
    // Where fewer give than there are slots, those who gave before come first, and then the next ones have their turn sooner.
    for peer in givers(candidates, isSeeding) where reasons.count < slots && reasons[peer.number] == nil {
      reasons[peer.number] = .gave(octets: peer.given)
    }
    for peer in rotation where reasons.count < slots && reasons[peer] == nil && known[peer]?.isInterested == true {
      reasons[peer] = .optimistic
    }
    let lowest = Int(best.last?.rate ?? 0)
    return candidates.compactMap { peer in
      if let reason = reasons[peer.number] {
        return peer.isChoked ? Decision(peer: peer.number, unchokes: true, reason: reason) : nil
      }
      guard !peer.isChoked else { return nil }
      return Decision(peer: peer.number, unchokes: false, reason: why(peer, lowest))
    }
  }

  /// Between two rounds: who wants nothing leaves its place, and others take those that are free. Nobody else loses one.
  mutating func fill(_ candidates: [Candidate], isSeeding: Bool) -> [Decision] {
    var decisions = candidates.filter { !$0.isChoked && !$0.isInterested }.map {
      Decision(peer: $0.number, unchokes: false, reason: slots == 0 ? .freeRiding : .notInterested)
    }
    var free = slots - candidates.count { !$0.isChoked && $0.isInterested }
    guard free > 0 else { return decisions }
    let known = Dictionary(uniqueKeysWithValues: candidates.map { ($0.number, $0) })
    if optimistic == nil { turn(known) }
    var taken: Set<PeerNumber> = []
    func take(_ peer: Candidate, _ reason: Reason) {
      guard free > 0, peer.isChoked, peer.isInterested, taken.insert(peer.number).inserted else { return }
      free -= 1
      decisions.append(Decision(peer: peer.number, unchokes: true, reason: reason))
    }
    if let optimistic, let peer = known[optimistic] { take(peer, .optimistic) }
    for peer in givers(candidates, isSeeding) { take(peer, .gave(octets: peer.given)) }
    for peer in rotation.compactMap({ known[$0] }) { take(peer, .optimistic) }
    return decisions
  }

  /// Those who gave before, most first.
  private func givers(_ candidates: [Candidate], _ isSeeding: Bool) -> [Candidate] {
    guard !isSeeding else { return [] }
    return candidates.filter { $0.isInterested && !$0.isSnubbed && $0.given > 0 }.sorted {
      ($0.given, $1.number) > ($1.given, $0.number)
    }
  }

  private func why(_ peer: Candidate, _ lowest: Int) -> Reason {
    if slots == 0 { return .freeRiding }
    if !peer.isInterested { return .notInterested }
    if peer.isSnubbed { return .snubbed }
    return peer.rate > 0 ? .outbid(rate: Int(peer.rate), by: lowest) : .turnOver
  }

  /// The first in the rotation that wants something and gets nothing has its turn, and all before it go behind.
  private mutating func turn(_ known: [PeerNumber: Candidate]) {
    optimistic = nil
    guard slots > 0 else { return }
    guard
      let place = rotation.firstIndex(where: { peer in
        known[peer].map { $0.isInterested && $0.isChoked } ?? false
      })
    else {
      // Everybody that wants something has it: nobody else's turn is kept waiting.
      optimistic = rotation.first { known[$0]?.isInterested == true }
      return
    }
    rotation = Array(rotation[place...] + rotation[..<place])
    optimistic = rotation[0]
  }
}

extension Choker.Reason {
  var name: String {
    switch self {
    case .gives: "gives"
    case .gave: "gave"
    case .takes: "takes"
    case .optimistic: "optimistic"
    case .outbid: "outbid"
    case .turnOver: "turn_over"
    case .notInterested: "not_interested"
    case .snubbed: "snubbed"
    case .freeRiding: "free_riding"
    }
  }
}
