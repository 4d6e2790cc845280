import Octets

/// Answers by question, found by the octets of a query as it came: what makes a cached answer cheap.
///
/// An open-addressing table over a slab; eviction is second chance, an approximation of least recently used that writes
/// one flag a hit. Everything in it is derived from the record cache and may be dropped at any time.
struct PacketCache {
  /// Entry and table slots, array headers and allocator slack.
  static let overhead = 256

  let limit: Int
  private(set) var bytes = 0
  private(set) var count = 0
  /// The slab, as arrays of the same length so that a probe touches hashes alone. A vacant position has no packet.
  private var hashes: [UInt64] = []
  private var packets: [Packet?] = []
  private var costs: [Int] = []
  private var used: [Bool] = []
  /// How often each was answered. A turn of its own for each question: one for all would show a client that asks for A and AAAA in
  /// turn always the same first address. A position keeps its turn when its packet grows old, since the next one mostly answers
  /// the same question.
  private var turns: [UInt16] = []
  private var vacant: [Int] = []
  /// Positions of entries by hash, -1 where empty; the count is a power of two.
  private var table: [Int32]
  private var hand = 0

  init(limit: Int) {
    self.limit = limit
    table = [Int32](repeating: -1, count: 1024)
  }

  /// Writes the answer to a query if there is a live one.
  mutating func answer(
    _ query: ClientQuery, _ message: RawSpan, now: Int64, limit: Int, to output: inout [UInt8]
  ) -> Bool {
    guard let position = find(query, message) else { return false }
    used[position] = true
    guard let packet = packets[position], packet.stored <= now, now < packet.expires else {
      remove(at: position)
      return false
    }
    packet.write(to: &output, for: query, message, now: now, turn: nextTurn(at: position), limit: limit)
    return true
  }

  private mutating func nextTurn(at position: Int) -> Int {
    turns[position] &+= 1
    return Int(turns[position])
  }

  /// Keeps the packet as the answer to the query's question.
  /// - Returns: the turn of the answer that is given right now.
  @discardableResult
  mutating func insert(_ packet: Packet, for query: ClientQuery, _ message: RawSpan) -> Int {
    let cost = packet.bytes.count + packet.ttls.count * 2 + Self.overhead
    guard cost <= limit / 4 else { return 0 }
    if let old = find(query, message) { remove(at: old) }
    while bytes + cost > limit, count > 0 { evictOne() }
    if (count + 1) * 4 > table.count * 3 { grow() }
    let position: Int
    if let free = vacant.popLast() {
      position = free
      hashes[position] = query.hash
      packets[position] = packet
      costs[position] = cost
      used[position] = false
    } else {
      position = packets.count
      hashes.append(query.hash)
      packets.append(packet)
      costs.append(cost)
      used.append(false)
      turns.append(0)
    }
    place(position, query.hash)
    bytes += cost
    count += 1
    return nextTurn(at: position)
  }

  mutating func removeAll() {
    self = PacketCache(limit: limit)
  }

  private func find(_ query: ClientQuery, _ message: RawSpan) -> Int? {
    let mask = table.count - 1
    var slot = Int(truncatingIfNeeded: query.hash) & mask
    while true {
      let position = Int(table[slot])
      if position < 0 { return nil }
      if hashes[position] == query.hash, let packet = packets[position], matches(packet, query, message) {
        return position
      }
      slot = (slot + 1) & mask
    }
  }

  private func matches(_ packet: Packet, _ query: ClientQuery, _ message: RawSpan) -> Bool {
    guard packet.questionEnd == query.questionEnd else { return false }
    let nameEnd = query.questionEnd - 4
    for offset in Packet.headerSize..<nameEnd
    where packet.bytes[offset].asciiLowercased != message[offset].asciiLowercased { return false }
    for offset in nameEnd..<query.questionEnd where packet.bytes[offset] != message[offset] { return false }
    return true
  }

  private mutating func place(_ position: Int, _ hash: UInt64) {
    let mask = table.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while table[slot] >= 0 { slot = (slot + 1) & mask }
    table[slot] = Int32(position)
  }

  private mutating func remove(at position: Int) {
    guard packets[position] != nil else { return }
    let mask = table.count - 1
    var slot = Int(truncatingIfNeeded: hashes[position]) & mask
    while Int(table[slot]) != position { slot = (slot + 1) & mask }
    // Closes the gap, so that no probe stops short of an entry behind it.
    var next = (slot + 1) & mask
    while table[next] >= 0 {
      let home = Int(truncatingIfNeeded: hashes[Int(table[next])]) & mask
      if (next - home) & mask >= (next - slot) & mask {
        table[slot] = table[next]
        slot = next
      }
      next = (next + 1) & mask
    }
    table[slot] = -1
    packets[position] = nil
    vacant.append(position)
    bytes -= costs[position]
    count -= 1
  }

  private mutating func evictOne() {
    while true {
      if hand >= packets.count { hand = 0 }
      let position = hand
      hand += 1
      guard packets[position] != nil else { continue }
      if used[position] {
        used[position] = false
      } else {
        remove(at: position)
        return
      }
    }
  }

  private mutating func grow() {
    table = [Int32](repeating: -1, count: table.count * 2)
    for position in packets.indices where packets[position] != nil { place(position, hashes[position]) }
  }
}
