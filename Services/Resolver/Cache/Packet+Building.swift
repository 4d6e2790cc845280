import DNSWire

extension Packet {
  /// Encodes the outcome of a question.
  /// - Parameter now: world seconds at which the outcome's TTLs hold.
  convenience init(_ question: Question, _ outcome: Outcome, now: Int64) {
    var header = Header(id: 0)
    header.isResponse = true
    header.recursionAvailable = true
    header.responseCode = outcome.code
    var message = Message(header: header, questions: [question])
    message.answers = outcome.answers
    message.authorities = outcome.authorities
    let bytes = message.encoded()
    let layout = Layout(bytes)
    let least = (outcome.answers + outcome.authorities).map(\.ttl).min()
    // What has no TTL is good for this asking alone; a failure for as long as the cache remembers it.
    let remembered = outcome.isPassing ? 0 : RecordCache.failureTTL
    let lifetime = outcome.code == .serverFailure ? remembered : Int64(least ?? 0)
    self.init(
      bytes: bytes, questionEnd: layout.questionEnd, ttls: layout.ttls, rotating: layout.rotating,
      rotatingSize: layout.rotatingSize, stored: now, expires: now + lifetime)
  }

  /// Where things stand in a message that was just encoded here, so that nothing needs to be doubted.
  private struct Layout {
    var questionEnd: Int
    var ttls: [UInt16] = []
    var rotating = 0..<0
    var rotatingSize = 0

    init(_ bytes: [UInt8]) {
      let count = { (offset: Int) in Int(bytes[offset]) << 8 | Int(bytes[offset + 1]) }
      var offset = Self.afterName(bytes, Packet.headerSize) + 4
      questionEnd = offset
      let answers = count(6)
      /// The run of equal records that ends at the answer section's end.
      var run = 0..<0
      var runSize = 0
      for index in 0..<answers + count(8) {
        let start = offset
        let fields = Self.afterName(bytes, offset)
        ttls.append(UInt16(clamping: fields + 4))
        offset = fields + 10 + count(fields + 8)
        guard index < answers else { continue }
        // Only an address has nothing in it that another record may point to.
        let isAddress = bytes[start] >= 0xC0 && (count(fields) == 1 || count(fields) == 28)
        let sameOwner = isAddress && runSize > 0 && count(run.lowerBound) == count(start)
        if sameOwner, offset - start == runSize {
          run = run.lowerBound..<offset
        } else {
          run = start..<offset
          runSize = isAddress ? offset - start : 0
        }
      }
      if runSize > 0, run.count > runSize {
        rotating = run
        rotatingSize = runSize
      }
    }

    private static func afterName(_ bytes: [UInt8], _ start: Int) -> Int {
      var offset = start
      while bytes[offset] != 0 {
        if bytes[offset] >= 0xC0 { return offset + 2 }
        offset += 1 + Int(bytes[offset])
      }
      return offset + 1
    }
  }
}
