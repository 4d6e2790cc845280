/// The pieces that are still to be begun, the rarest first.
///
/// They stand in one array, those of equal availability side by side, so that a piece that one more peer has moves over one border,
/// and the rarest is found without looking at all.
struct PieceOrder {
  /// How many peers have each piece, without those that have all.
  private(set) var availability: [Int32]
  /// Peers that have all pieces: they change nobody's place.
  private(set) var everywhere = 0
  private var order: [Int32] = []
  /// Of each piece in `order`; -1 where it is not to be begun.
  private var places: [Int32]
  /// Where the pieces of this availability and of greater ones begin in `order`; the last is its end.
  private var starts: [Int] = [0, 0]

  init(pieceCount: Int) {
    availability = Array(repeating: 0, count: pieceCount)
    places = Array(repeating: -1, count: pieceCount)
  }

  var isEmpty: Bool { order.isEmpty }

  /// How many of them some peer has.
  var reachable: Int { everywhere > 0 ? order.count : order.count - starts[1] }

  func contains(_ piece: Int) -> Bool { places[piece] >= 0 }

  /// How many peers have the piece.
  func peers(with piece: Int) -> Int { Int(availability[piece]) + everywhere }

  // MARK: Peers

  mutating func addEverywhere() { everywhere += 1 }
  mutating func removeEverywhere() { everywhere -= 1 }

  mutating func addPeer(with piece: Int) {
    let rank = Int(availability[piece])
    availability[piece] += 1
    guard contains(piece) else { return }
    grow(to: rank + 1)
    swap(piece, with: starts[rank + 1] - 1)
    starts[rank + 1] -= 1
  }

  mutating func removePeer(with piece: Int) {
    let rank = Int(availability[piece])
    guard rank > 0 else { return }
    availability[piece] -= 1
    guard contains(piece) else { return }
    swap(piece, with: starts[rank])
    starts[rank] += 1
  }

  // MARK: Pieces

  mutating func insert(_ piece: Int) {
    guard !contains(piece) else { return }
    let rank = Int(availability[piece])
    grow(to: rank)
    places[piece] = Int32(order.count)
    order.append(Int32(piece))
    // Every group above moves its first piece behind its last.
    var above = starts.count - 2
    starts[above + 1] += 1
    while above > rank {
      swap(piece, with: starts[above])
      starts[above] += 1
      above -= 1
    }
  }

  mutating func remove(_ piece: Int) {
    guard contains(piece) else { return }
    for rank in Int(availability[piece])..<starts.count - 1 {
      swap(piece, with: starts[rank + 1] - 1)
      starts[rank + 1] -= 1
    }
    order.removeLast()
    places[piece] = -1
  }

  /// The rarest piece that will do, any of those that are equally rare, and how many those are.
  /// - Parameter unheard: also those that nobody has but who has all.
  func rarest<Random: RandomNumberGenerator>(
    unheard: Bool = true, using random: inout Random, where willDo: (Int) -> Bool
  ) -> (piece: Int, equals: Int)? {
    for rank in (unheard ? 0 : 1)..<starts.count - 1 where starts[rank] < starts[rank + 1] {
      let group = order[starts[rank]..<starts[rank + 1]]
      if let piece = Self.any(of: group, using: &random, where: willDo) { return (piece, group.count) }
    }
    return nil
  }

  /// Any piece that will do.
  /// - Parameter unheard: as above.
  func any<Random: RandomNumberGenerator>(
    unheard: Bool = true, using random: inout Random, where willDo: (Int) -> Bool
  ) -> Int? {
    Self.any(of: order[(unheard ? 0 : starts[1])...], using: &random, where: willDo)
  }

  private static func any<Random: RandomNumberGenerator>(
    of group: ArraySlice<Int32>, using random: inout Random, where willDo: (Int) -> Bool
  ) -> Int? {
    guard !group.isEmpty else { return nil }
    let start = Int.random(in: group.indices, using: &random)
    for place in [start..<group.endIndex, group.startIndex..<start].joined() where willDo(Int(group[place])) {
      return Int(group[place])
    }
    return nil
  }

  private mutating func grow(to rank: Int) {
    while starts.count < rank + 2 { starts.append(order.count) }
  }

  private mutating func swap(_ piece: Int, with place: Int) {
    let (from, other) = (places[piece], order[place])
    order[place] = Int32(piece)
    order[Int(from)] = other
    places[Int(other)] = from
    places[piece] = Int32(place)
  }
}
