/// The trackers of a torrent, tier by tier, and which of them is asked next (BEP 12).
///
/// Each round begins with the first of the first tier; who answers comes to the front of its tier, who does not is passed over
/// until the next round.
struct TrackerTiers: Sendable {
  /// Trackers of a torrent, at most: the metainfo may bring any number.
  static let limit = 64

  private(set) var tiers: [[TrackerURL]]
  private var failedThisRound: Set<TrackerURL> = []
  /// Trackers that want to be left alone, and until when (BEP 31).
  private var resting: [TrackerURL: Int64] = [:]

  /// Each tier is shuffled, once. A tracker that comes again is left out, and so is a tier without any.
  init(_ tiers: [[TrackerURL]], using generator: inout some RandomNumberGenerator) {
    var known: Set<TrackerURL> = []
    self.tiers = tiers.compactMap { tier in
      let tier = tier.filter { known.count < Self.limit && known.insert($0).inserted }
      return tier.isEmpty ? nil : tier.shuffled(using: &generator)
    }
  }

  /// Others instead. Those that `known` says answered before come first in their tiers, and what rests goes on resting.
  mutating func replace(
    _ tiers: [[TrackerURL]], known: (TrackerURL) -> Bool, using generator: inout some RandomNumberGenerator
  ) {
    var next = TrackerTiers(tiers, using: &generator)
    next.tiers = next.tiers.map { tier in tier.filter(known) + tier.filter { !known($0) } }
    let all = Set(next.tiers.joined())
    next.resting = resting.filter { all.contains($0.key) }
    next.failedThisRound = failedThisRound
    self = next
  }

  /// The tracker to ask at this time, in seconds; nil where none is left in this round.
  func next(at now: Int64) -> TrackerURL? {
    for tier in tiers {
      if let url = tier.first(where: { !failedThisRound.contains($0) && !isResting($0, at: now) }) { return url }
    }
    return nil
  }

  /// Begins at the top again.
  mutating func beginRound() { failedThisRound = [] }

  mutating func answered(_ url: TrackerURL) {
    resting[url] = nil
    for index in tiers.indices {
      guard let place = tiers[index].firstIndex(of: url) else { continue }
      tiers[index].insert(tiers[index].remove(at: place), at: 0)
    }
  }

  /// - Parameter rest: until when it is not asked again, in seconds; nil where it has not said.
  mutating func failed(_ url: TrackerURL, restingUntil rest: Int64? = nil) {
    failedThisRound.insert(url)
    resting[url] = rest
  }

  /// When the first of them may be asked again; nil where one may be now, `.max` where none ever may.
  func firstReady(at now: Int64) -> Int64? {
    var first = Int64.max
    for url in tiers.joined() {
      guard let until = rest(of: url, at: now) else { return nil }
      first = min(first, until)
    }
    return first
  }

  /// A person says that it may be otherwise now.
  mutating func restNoMore() { resting = [:] }

  /// Until when it rests, where it does.
  func rest(of url: TrackerURL, at now: Int64) -> Int64? { resting[url].flatMap { $0 > now ? $0 : nil } }

  private func isResting(_ url: TrackerURL, at now: Int64) -> Bool { rest(of: url, at: now) != nil }
}
