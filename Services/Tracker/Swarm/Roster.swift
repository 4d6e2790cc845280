import Octets
import TorrentWire

/// The seeders or the leechers of a swarm, of one address family, in one list without anything beside it: every member stands near
/// the place that a keyed hash of its address and port gives it (open addressing; whoever is farther from its place goes first, "Robin
/// Hood"). So it is found without an index, and a choice at random looks at random places.
///
/// The hash is under a salt, so that nobody can choose addresses that all belong to one place. It is handed in with each call: there are
/// four lists to a torrent, and may be a million torrents.
///
/// Those whose time is over are found without looking at all: of each block of the list a moment is known before which nobody in it is
/// forgotten.
///
/// What a choice reads lies apart from the rest.
struct Roster<Address: PackedAddress>: Sendable {
  private var seats: [Seat<Address>] = []
  /// Beside `seats`.
  private var records: [Record] = []
  /// Beside them, or empty where it is not kept.
  private var progress: [Progress] = []
  /// Of every block but the first, which is always looked at: most swarms have no other, and pay nothing.
  private var bounds: [UInt32] = []
  private(set) var count = 0

  /// Places of a block.
  static var block: Int { 256 }

  var isEmpty: Bool { count == 0 }
  /// How many places there are; some have nobody in them.
  var places: Int { seats.count }

  subscript(place: Int) -> Seat<Address> { seats[place] }

  func id(at place: Int) -> PeerID { records[place].id }

  func member(at place: Int, isSeeder: Bool) -> Member {
    let (seat, record) = (seats[place], records[place])
    return Member(
      address: seat.socketAddress, client: Client(id: record.id, mark: seat.mark), isSeeder: isSeeder,
      progress: progress.isEmpty ? nil : progress[place], stretch: seat.stretch, expires: Int64(record.expires),
      hasCompleted: seat.hasCompleted)
  }

  func members(areSeeders: Bool) -> [Member] {
    seats.indices.lazy.filter { !seats[$0].isFree }.map { member(at: $0, isSeeder: areSeeders) }
  }

  // MARK: Places

  private func home(_ address: Address, _ port: UInt16, _ salt: UInt64) -> Int {
    func mixed(_ word: UInt64, _ factor: UInt64) -> UInt64 {
      let product = word.multipliedFullWidth(by: factor)
      return product.high ^ product.low
    }
    // Each word whole, and the salt before the first: who has a /64 to choose from must not find two that go the same way.
    let (high, low) = address.words
    var hash = mixed(high ^ salt, 0x9E37_79B9_7F4A_7C15)
    hash = mixed(low ^ hash, 0xD6E8_FEB8_6659_FD93)
    hash = mixed(UInt64(port) ^ hash ^ salt.byteSwapped, 0xA076_1D64_78BD_642F)
    return Int(hash.multipliedFullWidth(by: UInt64(seats.count)).high)
  }

  /// How far behind its own place it stands.
  func distance(_ seat: Seat<Address>, at place: Int, _ salt: UInt64) -> Int {
    let steps = place - home(seat.address, seat.port, salt)
    return steps < 0 ? steps + seats.count : steps
  }

  private func next(_ place: Int) -> Int { place + 1 == seats.count ? 0 : place + 1 }

  func place(of address: Address, _ port: UInt16, _ salt: UInt64) -> Int? {
    guard count > 0 else { return nil }
    var place = home(address, port, salt)
    var steps = 0
    while !seats[place].isFree {
      if seats[place].port == port, seats[place].address == address { return place }
      // It would have gone first.
      if distance(seats[place], at: place, salt) < steps { return nil }
      place = next(place)
      steps += 1
    }
    return nil
  }

  fileprivate struct Occupant {
    var seat: Seat<Address>
    var record: Record
    var progress: Progress?
  }

  private func occupant(of place: Int) -> Occupant {
    Occupant(seat: seats[place], record: records[place], progress: progress.isEmpty ? nil : progress[place])
  }

  private mutating func move(from place: Int, to other: Int) {
    seats[other] = seats[place]
    records[other] = records[place]
    if !progress.isEmpty { progress[other] = progress[place] }
    bound(other)
  }

  /// Everybody of these places moves on by one.
  private mutating func shift(_ places: Range<Int>) {
    seats.shift(places)
    records.shift(places)
    if !progress.isEmpty { progress.shift(places) }
    let firstBlock = places.lowerBound / Self.block + 1
    for start in stride(from: firstBlock * Self.block, through: places.upperBound, by: Self.block) { bound(start) }
  }

  /// Who has come there may be forgotten before all others of its block.
  private mutating func bound(_ place: Int) {
    let block = place / Self.block - 1
    if block >= 0 { bounds[block] = min(bounds[block], records[place].expires) }
  }

  private mutating func put(_ occupant: Occupant, at place: Int) {
    seats[place] = occupant.seat
    records[place] = occupant.record
    if !progress.isEmpty { progress[place] = occupant.progress ?? .unknown }
    bound(place)
  }

  // MARK: Changes

  /// - Parameters:
  ///   - member: who is not here yet.
  ///   - keeps: whether what it has moved is kept. A list that began without it goes on without it.
  mutating func insert(_ member: Member, keeps: Bool, _ salt: UInt64) {
    if count + 1 > seats.count * 31 / 32 {
      resize(to: max(count + 2, seats.count + seats.count / 32), keeps: keeps && (isEmpty || !progress.isEmpty), salt)
    }
    insert(Occupant(member), salt)
  }

  /// Everybody from its place on to the next free one moves by one.
  private mutating func insert(_ new: Occupant, _ salt: UInt64) {
    var target = home(new.seat.address, new.seat.port, salt)
    var steps = 0
    while !seats[target].isFree, distance(seats[target], at: target, salt) >= steps {
      target = next(target)
      steps += 1
    }
    var free = target
    while !seats[free].isFree { free = next(free) }
    if free < target {
      shift(0..<free)
      move(from: seats.count - 1, to: 0)
      free = seats.count - 1
    }
    shift(target..<free)
    put(new, at: target)
    count += 1
  }

  /// Says anew what stands there; address and port stay.
  mutating func replace(at place: Int, with member: Member) { put(Occupant(member), at: place) }

  /// Those behind come nearer to their places.
  mutating func remove(at place: Int, _ salt: UInt64) {
    var place = place
    var behind = next(place)
    while !seats[behind].isFree, distance(seats[behind], at: behind, salt) > 0 {
      move(from: behind, to: place)
      place = behind
      behind = next(behind)
    }
    seats[place] = .free
    count -= 1
    if count < seats.count / 2 { resize(to: count == 0 ? 0 : count + count / 8 + 2, keeps: !progress.isEmpty, salt) }
  }

  /// What they have moved is not kept any longer.
  mutating func forgetProgress() { progress = [] }

  private mutating func resize(to size: Int, keeps: Bool, _ salt: UInt64) {
    let old = self
    seats = Array(repeating: .free, count: size)
    records = Array(repeating: .none, count: size)
    progress = keeps ? Array(repeating: .unknown, count: size) : []
    bounds = Array(repeating: .max, count: max(0, (size - 1) / Self.block))
    count = 0
    // They stand in the order of their hashes, and will again: one walk past both lists, but for the few that change places with a
    // neighbour or stood beyond the end.
    var (last, free) = (0, 0)
    var others: [Occupant] = []
    for place in old.seats.indices where !old.seats[place].isFree {
      let occupant = old.occupant(of: place)
      let home = home(occupant.seat.address, occupant.seat.port, salt)
      let target = max(home, free)
      if home < last || target == size || old.distance(occupant.seat, at: place, salt) > place {
        others.append(occupant)
      } else {
        put(occupant, at: target)
        count += 1
        (last, free) = (home, target + 1)
      }
    }
    for occupant in others { insert(occupant, salt) }
  }

  /// Calls `body` with the address of each whose time is over.
  /// - Returns: a moment before which nobody else is forgotten; nil where nobody else is here.
  mutating func expired(at now: UInt32, _ body: (SocketAddress) -> Void) -> UInt32? {
    var earliest: UInt32?
    for start in stride(from: 0, to: seats.count, by: Self.block) {
      let block = start / Self.block - 1
      // A bound may be of somebody who has announced since, or is gone: then it is found anew.
      if block < 0 || bounds[block] < now {
        var bound = UInt32.max
        for place in start..<min(start + Self.block, seats.count) where !seats[place].isFree {
          let expires = records[place].expires
          if expires < now { body(seats[place].socketAddress) } else { bound = min(bound, expires) }
        }
        if block >= 0 { bounds[block] = bound }
        if bound < .max { earliest = min(earliest ?? .max, bound) }
      } else if bounds[block] < .max {
        earliest = min(earliest ?? .max, bounds[block])
      }
    }
    return earliest
  }
}

extension Roster.Occupant {
  fileprivate init(_ member: Member) {
    self.init(seat: Seat(member), record: Record(member), progress: member.progress)
  }
}

extension Array {
  /// Copies what is in the range to where it would be one place on.
  fileprivate mutating func shift(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    precondition(range.lowerBound >= 0 && range.upperBound < count)
    unsafe withUnsafeMutableBufferPointer { elements in
      guard let start = elements.baseAddress else { return }
      unsafe (start + range.lowerBound + 1).update(from: start + range.lowerBound, count: range.count)
    }
  }
}

extension Progress {
  /// Of somebody who came when it was not kept.
  static let unknown = Progress(uploaded: 0, downloaded: 0, left: nil, user: nil)
}
