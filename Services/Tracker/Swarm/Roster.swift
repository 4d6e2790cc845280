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
struct Roster<Address: PackedAddress>: Sendable {
  private var slots: [Entry<Address>] = []
  /// Beside `slots`, or empty where it is not kept.
  private var progress: [Progress] = []
  /// Of every block but the first, which is always looked at: most swarms have no other, and pay nothing.
  private var bounds: [UInt32] = []
  private(set) var count = 0

  /// Places of a block.
  static var block: Int { 256 }

  var isEmpty: Bool { count == 0 }
  /// How many places there are; some have nobody in them.
  var places: Int { slots.count }

  subscript(place: Int) -> Entry<Address> { slots[place] }

  func member(at place: Int, isSeeder: Bool) -> Member {
    slots[place].member(isSeeder: isSeeder, progress.isEmpty ? nil : progress[place])
  }

  func members(areSeeders: Bool) -> [Member] {
    slots.indices.lazy.filter { !slots[$0].isFree }.map { member(at: $0, isSeeder: areSeeders) }
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
    return Int(hash.multipliedFullWidth(by: UInt64(slots.count)).high)
  }

  /// How far behind its own place it stands.
  func distance(_ entry: Entry<Address>, at place: Int, _ salt: UInt64) -> Int {
    let steps = place - home(entry.address, entry.port, salt)
    return steps < 0 ? steps + slots.count : steps
  }

  private func next(_ place: Int) -> Int { place + 1 == slots.count ? 0 : place + 1 }

  func place(of address: Address, _ port: UInt16, _ salt: UInt64) -> Int? {
    guard count > 0 else { return nil }
    var place = home(address, port, salt)
    var steps = 0
    while !slots[place].isFree {
      if slots[place].port == port, slots[place].address == address { return place }
      // It would have gone first.
      if distance(slots[place], at: place, salt) < steps { return nil }
      place = next(place)
      steps += 1
    }
    return nil
  }

  private mutating func put(_ entry: Entry<Address>, _ saying: Progress?, at place: Int) {
    slots[place] = entry
    if !progress.isEmpty { progress[place] = saying ?? .unknown }
    let block = place / Self.block - 1
    if block >= 0 { bounds[block] = min(bounds[block], entry.expires) }
  }

  // MARK: Changes

  /// - Parameters:
  ///   - member: who is not here yet.
  ///   - keeps: whether what it has moved is kept. A list that began without it goes on without it.
  mutating func insert(_ member: Member, keeps: Bool, _ salt: UInt64) {
    if count + 1 > slots.count * 23 / 25 {
      resize(to: max(count + 2, slots.count + slots.count / 12), keeps: keeps && (isEmpty || !progress.isEmpty), salt)
    }
    insert(Entry(member), member.progress, salt)
  }

  private mutating func insert(_ entry: Entry<Address>, _ saying: Progress?, _ salt: UInt64) {
    var (entry, saying) = (entry, saying)
    var place = home(entry.address, entry.port, salt)
    var steps = 0
    while !slots[place].isFree {
      let other = distance(slots[place], at: place, salt)
      if other < steps {
        let (poorer, its) = (entry, saying)
        (entry, saying) = (slots[place], progress.isEmpty ? nil : progress[place])
        put(poorer, its, at: place)
        steps = other
      }
      place = next(place)
      steps += 1
    }
    put(entry, saying, at: place)
    count += 1
  }

  /// Says anew what stands there; address and port stay.
  mutating func replace(at place: Int, with member: Member) { put(Entry(member), member.progress, at: place) }

  /// Those behind come nearer to their places.
  mutating func remove(at place: Int, _ salt: UInt64) {
    var place = place
    var behind = next(place)
    while !slots[behind].isFree, distance(slots[behind], at: behind, salt) > 0 {
      put(slots[behind], progress.isEmpty ? nil : progress[behind], at: place)
      place = behind
      behind = next(behind)
    }
    slots[place] = .free
    count -= 1
    if count < slots.count / 2 { resize(to: count == 0 ? 0 : count + count / 8 + 2, keeps: !progress.isEmpty, salt) }
  }

  /// What they have moved is not kept any longer.
  mutating func forgetProgress() { progress = [] }

  private mutating func resize(to size: Int, keeps: Bool, _ salt: UInt64) {
    let old = (slots, progress)
    slots = Array(repeating: .free, count: size)
    progress = keeps ? Array(repeating: .unknown, count: size) : []
    bounds = Array(repeating: .max, count: max(0, (size - 1) / Self.block))
    count = 0
    for (place, entry) in old.0.enumerated() where !entry.isFree {
      insert(entry, old.1.isEmpty ? nil : old.1[place], salt)
    }
  }

  /// Calls `body` with each whose time is over.
  /// - Returns: a moment before which nobody else is forgotten; nil where nobody else is here.
  mutating func expired(at now: Int64, _ body: (Entry<Address>) -> Void) -> Int64? {
    let now = UInt32(clamping: now)
    var earliest: UInt32?
    for start in stride(from: 0, to: slots.count, by: Self.block) {
      let block = start / Self.block - 1
      // A bound may be of somebody who has announced since, or is gone: then it is found anew.
      if block < 0 || bounds[block] < now {
        var bound = UInt32.max
        for place in start..<min(start + Self.block, slots.count) where !slots[place].isFree {
          if slots[place].expires < now { body(slots[place]) } else { bound = min(bound, slots[place].expires) }
        }
        if block >= 0 { bounds[block] = bound }
        if bound < .max { earliest = min(earliest ?? .max, bound) }
      } else if bounds[block] < .max {
        earliest = min(earliest ?? .max, bounds[block])
      }
    }
    return earliest.map { Int64($0) }
  }
}

extension Progress {
  /// Of somebody who came when it was not kept.
  static let unknown = Progress(uploaded: 0, downloaded: 0, left: nil, user: nil)
}
