/// The names that a chain of aliases has come by, each told by its keyed hash: that two meet is less likely than that the
/// memory errs, and the client would only have to follow the rest of the chain itself.
struct Trail {
  // One more than the links that are followed.
  private var names = InlineArray<17, UInt32>(repeating: 0)
  private var count = 0
  private var dnames = InlineArray<17, UInt32>(repeating: 0)
  private var dnameCount = 0

  /// False when the name was there before.
  mutating func goOn(to name: borrowing QueryName) -> Bool {
    for index in 0..<count where names[index] == name.hashes[0] { return false }
    names[count] = name.hashes[0]
    count += 1
    return true
  }

  /// False when the DNAME of this owner is in the answer already: an RRset is there once.
  mutating func isNew(dname owner: UInt32) -> Bool {
    for index in 0..<dnameCount where dnames[index] == owner { return false }
    dnames[dnameCount] = owner
    dnameCount += 1
    return true
  }
}
