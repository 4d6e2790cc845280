/// Members in a list without gaps, for choices among them, that finds those whose time is over without looking at all of them: of
/// each block of the list it knows a moment before which nobody in it is forgotten.
struct Roster: Sendable {
  private(set) var members: [Member] = []
  /// Of every block but the first, which is always looked at: most swarms have no other, and pay nothing.
  private var bounds: [Int64] = []
  /// Members of a block: 100,000 have as many bounds to look at as three blocks have members.
  static let block = 256

  var count: Int { members.count }

  mutating func append(_ member: Member) {
    members.append(member)
    lower(members.count - 1)
  }

  mutating func replace(at index: Int, with member: Member) {
    members[index] = member
    lower(index)
  }

  /// The last takes the place that is free.
  mutating func remove(at index: Int) -> Member {
    let last = members.removeLast()
    // A bound is of a block that was there: one that comes again begins anew.
    if members.count <= bounds.count * Roster.block, !bounds.isEmpty { bounds.removeLast() }
    guard index < members.count else { return last }
    let gone = members[index]
    replace(at: index, with: last)
    return gone
  }

  private mutating func lower(_ index: Int) {
    let block = index / Roster.block - 1
    guard block >= 0 else { return }
    if block == bounds.count { bounds.append(.max) }
    bounds[block] = min(bounds[block], members[index].expires)
  }

  /// Calls `body` with each member whose time is over.
  /// - Returns: a moment before which nobody else is forgotten.
  mutating func expired(at now: Int64, _ body: (Member) -> Void) -> Int64 {
    var earliest = Int64.max
    for start in stride(from: 0, to: members.count, by: Roster.block) {
      let block = start / Roster.block - 1
      if block >= 0, bounds[block] >= now {
        earliest = min(earliest, bounds[block])
        continue
      }
      // A bound may be of somebody who has announced since, or is gone: now it is known again.
      var bound = Int64.max
      for index in start..<min(start + Roster.block, members.count) {
        if members[index].expires < now { body(members[index]) } else { bound = min(bound, members[index].expires) }
      }
      if block >= 0 { bounds[block] = bound }
      earliest = min(earliest, bound)
    }
    return earliest
  }
}
