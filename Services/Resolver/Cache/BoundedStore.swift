/// A dictionary bounded in bytes: when it is full, the entry unused for longest leaves first.
struct BoundedStore<Key: Hashable, Value> {
  private struct Slot {
    var key: Key
    var value: Value
    var bytes: Int
    var newer: Int
    var older: Int
  }

  /// What an entry costs beside its own bytes: its slot, its key's index and their headers.
  static var overhead: Int { 160 }
  private static var none: Int { -1 }

  private var index: [Key: Int] = [:]
  private var slots: [Slot?] = []
  private var vacant: [Int] = []
  private var newest = none
  private var oldest = none

  /// The bytes all entries may take together.
  let limit: Int
  /// The bytes they take.
  private(set) var bytes = 0

  init(limit: Int) {
    self.limit = limit
  }

  var count: Int { index.count }

  /// The value, which becomes the one used last.
  mutating func use(_ key: Key) -> Value? {
    guard let position = index[key], let value = slots[position]?.value else { return nil }
    if position != newest {
      unlink(position)
      link(position)
    }
    return value
  }

  /// Keeps the value; `bytes` is what key and value take in memory. One too large for the whole store is not kept.
  mutating func insert(_ key: Key, _ value: Value, bytes size: Int) {
    remove(key)
    let cost = size + Self.overhead
    guard cost <= limit else { return }
    while bytes + cost > limit, let last = slots[oldest]?.key { remove(last) }
    let slot = Slot(key: key, value: value, bytes: cost, newer: Self.none, older: Self.none)
    let position: Int
    if let free = vacant.popLast() {
      position = free
      slots[position] = slot
    } else {
      position = slots.count
      slots.append(slot)
    }
    index[key] = position
    bytes += cost
    link(position)
  }

  mutating func remove(_ key: Key) {
    guard let position = index.removeValue(forKey: key), let slot = slots[position] else { return }
    unlink(position)
    bytes -= slot.bytes
    slots[position] = nil
    vacant.append(position)
  }

  mutating func removeAll() {
    self = Self(limit: limit)
  }

  mutating func removeAll(where condition: (Key, Value) -> Bool) {
    for slot in slots {
      if let slot, condition(slot.key, slot.value) { remove(slot.key) }
    }
  }

  /// Visits the entries from a position on, until the body answers false. Positions are stable while an entry lives.
  /// - Returns: the position after the last one visited, or nil at the end.
  func visit(from start: Int, _ body: (Key, Value, _ bytes: Int) -> Bool) -> Int? {
    var position = max(start, 0)
    while position < slots.count {
      defer { position += 1 }
      if let slot = slots[position], !body(slot.key, slot.value, slot.bytes) { return position }
    }
    return nil
  }

  private mutating func link(_ position: Int) {
    slots[position]?.older = newest
    slots[position]?.newer = Self.none
    if newest != Self.none { slots[newest]?.newer = position }
    newest = position
    if oldest == Self.none { oldest = position }
  }

  private mutating func unlink(_ position: Int) {
    guard let slot = slots[position] else { return }
    if slot.newer != Self.none { slots[slot.newer]?.older = slot.older } else { newest = slot.older }
    if slot.older != Self.none { slots[slot.older]?.newer = slot.newer } else { oldest = slot.newer }
  }
}
