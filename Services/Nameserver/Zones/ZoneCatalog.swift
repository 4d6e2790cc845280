import DNSWire

/// All zones served, as one immutable value that every loop holds.
final class ZoneCatalog: Sendable {
  let trees: [ZoneTree]
  private let table: [Int32]
  private let hashes: [UInt32]
  private let mask: Int
  /// Bit n: some apex has n labels. Spares the search at depths where there is none.
  private let depths: (UInt64, UInt64)

  init(_ trees: [ZoneTree]) {
    self.trees = trees
    var capacity = 8
    while capacity < trees.count * 2 { capacity *= 2 }
    let mask = capacity - 1
    var table = [Int32](repeating: 0, count: capacity)
    var depths: (UInt64, UInt64) = (0, 0)
    for (index, tree) in trees.enumerated() {
      var slot = Int(tree.nodes[0].hash) & mask
      while table[slot] != 0 { slot = (slot + 1) & mask }
      table[slot] = Int32(index + 1)
      let depth = tree.name.labelCount
      if depth < 64 { depths.0 |= 1 << UInt64(depth) } else { depths.1 |= 1 << UInt64(depth - 64) }
    }
    self.table = table
    self.mask = mask
    self.depths = depths
    hashes = trees.map { $0.nodes[0].hash }
  }

  /// The zone that is the nearest ancestor of `name` (RFC 1034 §4.3.2 step 2) and the label of `name` at which its
  /// apex begins.
  /// - Parameter label: where to begin: 0, or 1 for what belongs to the parent's side of a cut.
  func nearestZone(_ name: borrowing QueryName, from label: Int = 0) -> (tree: Int, apex: Int)? {
    var label = label
    while label <= name.labelCount {
      let depth = name.labelCount - label
      let bits = depth < 64 ? depths.0 >> UInt64(depth) : depths.1 >> UInt64(depth - 64)
      if bits & 1 != 0 {
        var slot = Int(name.hashes[label]) & mask
        while table[slot] != 0 {
          let index = Int(table[slot]) - 1
          if hashes[index] == name.hashes[label], trees[index].node(name, from: label) == 0 { return (index, label) }
          slot = (slot + 1) & mask
        }
      }
      label += 1
    }
    return nil
  }
}
