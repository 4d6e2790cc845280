import DNSWire

/// The response under construction, in a buffer that is used for every query.
struct ResponseWriter {
  private(set) var bytes = [UInt8](repeating: 0, count: Message.maximumLength + 1)
  private(set) var count = 0
  /// The response may not grow beyond this; what EDNS needs at the end is already taken off.
  private(set) var limit = 0
  /// Where the question section ends.
  private(set) var questionEnd = 0
  var hasAnswers: Bool { answers > 0 }
  private var answers = 0
  private var authorities = 0
  private var additionals = 0
  /// Where the records of the set written last begin, for the names in them that later ones point at.
  private var positions = [Int32](repeating: 0, count: Zone.maximumRecords)
  /// How far a compression pointer reaches (RFC 1035 §4.1.4).
  private static let reach = 0x4000
  /// Which record comes first, for RRsets by their index: one count for all would stand still for a client that always
  /// asks for two things in turn, as for A and AAAA.
  private var turns = InlineArray<64, UInt32>(repeating: 0)

  var isAuthoritative = false
  var isTruncated = false
  /// A referral whose glue did not all fit keeps what it has (RFC 9471 §3.1).
  var isReferral = false
  var responseCode = ResponseCode.noError

  enum Section { case answer, authority, additional }

  /// Begins with the query's id and its question as it was asked.
  mutating func begin(_ query: RawSpan, questionEnd end: Int, limit: Int) {
    precondition(end <= query.byteCount && end <= bytes.count)
    // One copy in place of a checked store for each octet; the ranges are proven above, here and below.
    unsafe bytes.withUnsafeMutableBytes { target in
      unsafe query.withUnsafeBytes { source in
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[..<end]).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[..<end]))
      }
    }
    count = end
    questionEnd = end
    self.limit = limit
    answers = 0
    authorities = 0
    additionals = 0
    isAuthoritative = false
    isTruncated = false
    isReferral = false
    responseCode = .noError
  }

  /// Fills in the header and appends OPT. CD is for validating resolvers and not echoed (RFC 4035 §3.1.6).
  mutating func finish(_ query: QueryHead) {
    if isTruncated, !isReferral {
      // What is there is incomplete: the client asks again by TCP and needs none of it.
      count = questionEnd
      answers = 0
      authorities = 0
      additionals = 0
    }
    var header = Header(id: query.id)
    header.isResponse = true
    header.opcode = query.opcode
    header.isAuthoritative = isAuthoritative
    header.isTruncated = isTruncated
    header.recursionDesired = query.recursionDesired
    header.responseCode = responseCode
    put(header.flags, at: 2)
    put(UInt16(questionEnd > Header.length ? 1 : 0), at: 4)
    if query.hasEDNS {
      bytes[count] = 0
      put(RecordType.opt.rawValue, at: count + 1)
      put(UInt16(Responder.payloadSize), at: count + 3)
      put((responseCode.rawValue >> 4) << 8, at: count + 5)
      put(query.dnssecOK ? 0x8000 : 0, at: count + 7)
      put(0, at: count + 9)
      count += Responder.optionLength
      additionals += 1
    }
    put(UInt16(truncatingIfNeeded: answers), at: 6)
    put(UInt16(truncatingIfNeeded: authorities), at: 8)
    put(UInt16(truncatingIfNeeded: additionals), at: 10)
  }

  private mutating func put(_ value: UInt16, at offset: Int) {
    bytes[offset] = UInt8(value >> 8)
    bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
  }

  /// Appends an RRset whole, or nothing and false when it does not fit.
  /// - Parameters:
  ///   - owner: where the owner's name stands.
  ///   - apex: where the zone's name stands.
  mutating func append(_ tree: ZoneTree, set index: Int, _ section: Section, owner: Int, apex: Int) -> Bool {
    let set = tree.sets[index]
    guard count + Int(set.length) <= limit else { return false }
    let total = Int(set.recordCount)
    var next = total > 1 ? turn(of: index, total) : 0
    var first = Int(set.firstRecord)
    var suffix = 0
    for turn in 0..<total {
      if section != .additional, next < Zone.maximumRecords { positions[next] = Int32(count) }
      let record = tree.records[first + next]
      if turn == 0, set.firstFollower >= 0 {
        // A chain and this record end well within a pointer's reach.
        suffix = count + Int(record.suffix)
        first = Int(set.firstFollower)
      }
      append(tree, record, owner: owner, apex: apex, suffix: suffix)
      next = next + 1 == total ? 0 : next + 1
    }
    switch section {
    case .answer: answers += total
    case .authority: authorities += total
    case .additional: additionals += total
    }
    return true
  }

  private mutating func turn(of set: Int, _ count: Int) -> Int {
    let slot = set % turns.count
    defer { turns[slot] &+= 1 }
    return Int(turns[slot]) % count
  }

  private mutating func append(
    _ tree: ZoneTree, _ record: ZoneTree.EncodedRecord, owner: Int, apex: Int, suffix: Int
  ) {
    let start = count
    let length = Int(record.length)
    precondition(start + length <= bytes.count && Int(record.offset) + length <= tree.octets.count)
    unsafe bytes.withUnsafeMutableBytes { target in
      unsafe tree.octets.withUnsafeBytes { source in
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[start..<(start + length)]).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[Int(record.offset)..<(Int(record.offset) + length)]))
      }
    }
    put(0xC000 | UInt16(truncatingIfNeeded: owner), at: start)
    if record.pointers.0 != 0 { point(record.pointers.0, from: start, owner, apex, suffix) }
    if record.pointers.1 != 0 { point(record.pointers.1, from: start, owner, apex, suffix) }
    count = start + length
  }

  private mutating func point(_ pointer: UInt16, from start: Int, _ owner: Int, _ apex: Int, _ suffix: Int) {
    typealias Record = ZoneTree.EncodedRecord
    let isToOwner = pointer & Record.toOwner != 0
    let target = pointer & Record.toSuffix != 0 ? suffix : isToOwner ? owner : apex
    let offset = start + Int(pointer & ~(Record.toOwner | Record.toSuffix))
    put(0xC000 | UInt16(truncatingIfNeeded: target), at: offset)
  }

  /// Where a host's name stands in the set written last; nil when no pointer reaches it.
  func position(of additional: ZoneTree.Additional) -> Int? {
    let position = Int(positions[Int(additional.record)] + additional.nameOffset)
    return position < Self.reach ? position : nil
  }

  /// Appends the CNAME that a DNAME stands for (RFC 6672 §3.1): the DNAME's TTL, the new name whole.
  /// - Returns: where the target stands; nil when it does not fit.
  mutating func appendSynthesizedCNAME(_ tree: ZoneTree, dname index: Int, owner: Int, target: QueryName) -> Int? {
    let record = tree.records[Int(tree.sets[index].firstRecord)]
    guard count + 12 + target.length <= limit else { return nil }
    put(0xC000 | UInt16(truncatingIfNeeded: owner), at: count)
    put(RecordType.cname.rawValue, at: count + 2)
    for offset in 4..<10 { bytes[count + offset] = tree.octets[Int(record.offset) + offset] }
    put(UInt16(target.length), at: count + 10)
    let position = count + 12
    for offset in 0..<target.length { bytes[position + offset] = target.wire[offset] }
    count = position + target.length
    answers += 1
    return position
  }

  /// Where the data of the only record of the set written last stands.
  var lastDataPosition: Int { Int(positions[0]) + 12 }
}
