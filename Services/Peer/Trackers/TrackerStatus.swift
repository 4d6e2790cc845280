/// What is known of one tracker of a torrent, for people. Times are seconds of the world's clock.
struct TrackerStatus: Sendable, Equatable {
  enum State: String, Sendable {
    /// Not asked yet.
    case waiting
    case announcing
    /// It answered the last time.
    case working
    /// It did not, or said no.
    case failed
  }

  let url: TrackerURL
  /// From 0; those of the first are asked first.
  var tier: Int
  var state = State.waiting
  /// When it last answered.
  var lastAnnounce: Int64?
  /// When it is asked next, where that is decided.
  var next: Int64?
  var seeders: Int?
  var leechers: Int?
  /// How often the torrent was completed, where the tracker tells.
  var downloads: Int?
  /// The warning or the failure that it last gave.
  var message: String?

  init(url: TrackerURL, tier: Int) {
    self.url = url
    self.tier = tier
  }
}
