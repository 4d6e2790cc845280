import DNSWire

/// A zone as it is served: flat arrays, made once, never changed, shared by all loops.
///
/// Records are encoded beforehand. Each begins with a compression pointer to its owner name, and names in its data
/// that lie in the zone end in a pointer to the apex (or to the owner); where these stand in the message is known
/// only when it is written, so the offsets of the pointers are kept beside it.
final class ZoneTree: Sendable {
  /// An owner name, or an empty non-terminal (RFC 4592 §2.2.2).
  struct Node {
    var hash: UInt32
    /// Lower-case wire format in `octets`.
    var nameOffset: Int32
    var nameLength: Int16
    var setCount: Int16 = 0
    var firstSet: Int32 = 0
    /// The topmost node at or above this one where the zone's authority ends (NS below the apex) or names are
    /// redirected (DNAME);
    /// -1 for none.
    var cut: Int32 = -1
    /// The child `*`, or -1.
    var wildcard: Int32 = -1
  }

  /// An RRset.
  struct EncodedSet {
    var type: RecordType
    var recordCount: Int32
    var firstRecord: Int32
    /// The same records as they are written after another one of the set, whose name ends as theirs do; -1 for none.
    var firstFollower: Int32 = -1
    /// All records, each with two octets for its owner.
    var length: Int32
    var firstAdditional: Int32 = 0
    var additionalCount: Int32 = 0
    /// The whole name that a CNAME or DNAME leads to, in `octets`.
    var targetOffset: Int32 = -1
    var targetLength: Int32 = 0
  }

  struct EncodedRecord {
    var offset: Int32
    var length: Int32
    /// Where pointers stand, counted from the record's first octet; 0 for none. The highest bits: to the owner, or to the
    /// set's shared suffix, else to the apex.
    var pointers: (UInt16, UInt16) = (0, 0)
    /// Where the suffix stands that the names of the set share.
    var suffix: Int16 = 0
    static let toOwner: UInt16 = 0x8000
    static let toSuffix: UInt16 = 0x4000
  }

  /// Addresses that go with a record (RFC 1034 §4.3.2 step 6, RFC 9471).
  struct Additional {
    /// Which record of the set names the host, and where in it that name stands.
    var record: Int32
    var nameOffset: Int32
    var addresses: Addresses
    /// Without this glue the delegation can't be followed.
    var isRequired: Bool
  }

  enum Addresses {
    /// An RRset of this zone.
    case set(Int32)
    /// What another zone served here knows of the host, whose name is in `octets`.
    case elsewhere(offset: Int32, length: Int32)
  }

  let name: Name
  let nodes: [Node]
  let sets: [EncodedSet]
  let records: [EncodedRecord]
  let additionals: [Additional]
  let octets: [UInt8]
  /// The SOA as negative answers carry it: at min(TTL, MINIMUM) (RFC 2308 §3).
  let negativeSOA: Int
  /// Index of a node plus one, or zero; open addressing.
  private let table: [Int32]
  private let mask: Int

  /// The apex is node 0.
  init(
    name: Name, nodes: [Node], sets: [EncodedSet], records: [EncodedRecord], additionals: [Additional],
    octets: [UInt8], negativeSOA: Int
  ) {
    self.name = name
    self.nodes = nodes
    self.sets = sets
    self.records = records
    self.additionals = additionals
    self.octets = octets
    self.negativeSOA = negativeSOA
    var capacity = 8
    while capacity < nodes.count * 2 { capacity *= 2 }
    let mask = capacity - 1
    var table = [Int32](repeating: 0, count: capacity)
    for (index, node) in nodes.enumerated() {
      var slot = Int(node.hash) & mask
      while table[slot] != 0 { slot = (slot + 1) & mask }
      table[slot] = Int32(index + 1)
    }
    self.table = table
    self.mask = mask
  }

  /// The node whose name is the suffix of `name` that begins at `label`, or -1.
  func node(_ name: borrowing QueryName, from label: Int) -> Int {
    let hash = name.hashes[label]
    let start = Int(name.starts[label])
    let length = name.length - start
    var slot = Int(hash) & mask
    while true {
      let entry = Int(table[slot]) - 1
      if entry < 0 { return -1 }
      if nodes[entry].hash == hash, Int(nodes[entry].nameLength) == length,
        isEqual(name, start, Int(nodes[entry].nameOffset), length)
      {
        return entry
      }
      slot = (slot + 1) & mask
    }
  }

  private func isEqual(_ name: borrowing QueryName, _ start: Int, _ offset: Int, _ length: Int) -> Bool {
    for index in 0..<length where name.lower[start + index] != octets[offset + index] { return false }
    return true
  }

  /// The RRset of a type at a node, or -1.
  func set(_ node: Int, _ type: RecordType) -> Int {
    let first = Int(nodes[node].firstSet)
    for index in first..<(first + Int(nodes[node].setCount)) where sets[index].type == type { return index }
    return -1
  }
}
