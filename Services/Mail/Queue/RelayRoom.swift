/// The memory that the letters under way may take together.
///
/// A host may take a letter slowly for hours, so large letters leave a part of the room to small ones, which find theirs
/// whatever the large ones do.
struct RelayRoom: Sendable {
  /// Letters up to this many octets are small.
  static let small = 1_048_576

  /// In octets.
  let limit: Int
  private(set) var used = 0

  init(limit: Int) { self.limit = limit }

  /// Takes room for a letter of so many octets, its converted and its encoded form included.
  /// - Returns: what has to be given back; nil, and nothing taken, where there is no room now. A letter too large for the
  ///   whole is let in when it is alone.
  mutating func take(letterOf octets: Int) -> Int? {
    let available = octets > RelayRoom.small ? limit - limit / 4 : limit
    let cost = min(3 * octets, available)
    guard used + cost <= available else { return nil }
    used += cost
    return cost
  }

  mutating func giveBack(_ cost: Int) { used -= cost }
}
