import DNSWire

/// The response under construction, in a buffer that is used for every query.
struct ResponseWriter {
  private(set) var bytes = [UInt8](repeating: 0, count: Message.maximumLength + 1)
  private(set) var count = 0
  /// The response may not grow beyond this; what EDNS needs at the end is already taken off.
  private(set) var limit = 0
  /// Where the question section ends.
  private(set) var questionEnd = 0
  private var answers = 0
  private var authorities = 0
  private var additionals = 0
  /// Where the records of the set written last begin, for the names in them that later ones point at.
  private var positions = [Int32](repeating: 0, count: Self.maximumPositions)
  private static let maximumPositions = 64
  /// How far a compression pointer reaches (RFC 1035 §4.1.4).
  private static let reach = 0x4000

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

  /// Fills in the header and appends OPT.
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
    header.checkingDisabled = query.checkingDisabled
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
  ///   - rotation: which record comes first.
  mutating func append(
    _ tree: ZoneTree, set index: Int, _ section: Section, owner: Int, apex: Int, rotation: Int = 0
  ) -> Bool {
    let set = tree.sets[index]
    guard count + Int(set.length) <= limit else { return false }
    let total = Int(set.recordCount)
    var next = total > 1 ? rotation % total : 0
    for _ in 0..<total {
      if section != .additional, next < Self.maximumPositions { positions[next] = Int32(count) }
      append(tree, tree.records[Int(set.firstRecord) + next], owner: owner, apex: apex)
      next = next + 1 == total ? 0 : next + 1
    }
    switch section {
    case .answer: answers += total
    case .authority: authorities += total
    case .additional: additionals += total
    }
    return true
  }

  private mutating func append(_ tree: ZoneTree, _ record: ZoneTree.EncodedRecord, owner: Int, apex: Int) {
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
    if record.pointers.0 != 0 { point(record.pointers.0, from: start, owner: owner, apex: apex) }
    if record.pointers.1 != 0 { point(record.pointers.1, from: start, owner: owner, apex: apex) }
    count = start + length
  }

  private mutating func point(_ pointer: UInt16, from start: Int, owner: Int, apex: Int) {
    let isToOwner = pointer & ZoneTree.EncodedRecord.toOwner != 0
    let offset = start + Int(pointer & ~ZoneTree.EncodedRecord.toOwner)
    put(0xC000 | UInt16(truncatingIfNeeded: isToOwner ? owner : apex), at: offset)
  }

  /// Appends the addresses that belong to a set just written; TC when glue is left out without which the referral is
  /// useless.
  mutating func appendAdditionals(_ tree: ZoneTree, of index: Int, apex: Int) {
    let set = tree.sets[index]
    for link in Int(set.firstAdditional)..<Int(set.firstAdditional + set.additionalCount) {
      let additional = tree.additionals[link]
      let record = Int(additional.record)
      guard record < Self.maximumPositions else { continue }
      let owner = Int(positions[record] + additional.nameOffset)
      guard owner < Self.reach else { continue }
      if !append(tree, set: Int(additional.set), .additional, owner: owner, apex: apex), additional.isRequired {
        isTruncated = true
      }
    }
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
