import DNSWire

/// What a query says, read without allocating: header, question and EDNS.
struct QueryHead {
  var id: UInt16 = 0
  var opcode = Opcode.query
  var recursionDesired = false
  var type = RecordType(rawValue: 0)
  var `class` = RecordClass.internet
  /// Where the question ends that is echoed; the length of the header when there is none to echo.
  var questionEnd = Header.length
  private var recordsStart = Header.length
  var hasEDNS = false
  var payloadSize = Message.plainUDPLength
  var version: UInt8 = 0
  var dnssecOK = false

  enum Fault {
    /// Not to be answered at all: too short, or a response.
    case silence
    case formatError
    case notImplemented
  }

  /// Reads `query`; its name goes to `name`. Nil when all is well.
  mutating func read(_ query: RawSpan, _ name: inout QueryName) -> Fault? {
    self = QueryHead()
    guard let header = Header(decoding: query), !header.isResponse else { return .silence }
    id = header.id
    opcode = header.opcode
    recursionDesired = header.recursionDesired
    // All is read before anything is refused: a refusal, too, echoes the question and has an OPT if the query had one
    // (RFC 6891 §6.1.1).
    let questions = Int(uint16(query, 4))
    let isWhole = readQuestions(questions, query, &name) && readRecords(query)
    guard opcode == .query else { return .notImplemented }
    return questions == 1 && isWhole ? nil : .formatError
  }

  /// False when they are malformed. Of several none is read or echoed: which one was meant nobody knows (RFC 9619).
  private mutating func readQuestions(_ count: Int, _ query: RawSpan, _ name: inout QueryName) -> Bool {
    if count == 1 { return readQuestion(query, &name) }
    for _ in 0..<count {
      guard skipName(query, &recordsStart), recordsStart + 4 <= query.byteCount else { return false }
      recordsStart += 4
    }
    return true
  }

  private mutating func readQuestion(_ query: RawSpan, _ name: inout QueryName) -> Bool {
    guard let length = name.load(query, at: Header.length) else { return false }
    let fields = Header.length + length
    guard fields + 4 <= query.byteCount else { return false }
    type = RecordType(rawValue: uint16(query, fields))
    self.class = RecordClass(rawValue: uint16(query, fields + 2))
    questionEnd = fields + 4
    recordsStart = questionEnd
    return true
  }

  private func octet(_ query: RawSpan, _ offset: Int) -> UInt8 {
    unsafe query.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  private func uint16(_ query: RawSpan, _ offset: Int) -> UInt16 {
    UInt16(octet(query, offset)) << 8 | UInt16(octet(query, offset + 1))
  }

  /// Passes over all records to find OPT; false when the message is malformed.
  private mutating func readRecords(_ query: RawSpan) -> Bool {
    var offset = recordsStart
    let others = Int(uint16(query, 6)) + Int(uint16(query, 8))
    let total = others + Int(uint16(query, 10))
    for index in 0..<total {
      let start = offset
      guard skipName(query, &offset), offset + 10 <= query.byteCount else { return false }
      let end = offset + 10 + Int(uint16(query, offset + 8))
      guard end <= query.byteCount else { return false }
      if uint16(query, offset) == RecordType.opt.rawValue {
        // RFC 6891 §6.1.1: one, in the additional section, at the root.
        guard !hasEDNS, index >= others, octet(query, start) == 0, hasOptions(query, offset + 10, end) else {
          return false
        }
        hasEDNS = true
        payloadSize = max(Message.plainUDPLength, Int(uint16(query, offset + 2)))
        version = octet(query, offset + 5)
        dnssecOK = octet(query, offset + 6) & 0x80 != 0
      }
      offset = end
    }
    return offset == query.byteCount
  }

  /// Passes over a name that nothing is wanted of.
  private func skipName(_ query: RawSpan, _ offset: inout Int) -> Bool {
    while offset < query.byteCount {
      let length = Int(octet(query, offset))
      switch length >> 6 {
      case 0:
        offset += length + 1
        if length == 0 { return true }
      case 3:
        offset += 2
        return offset <= query.byteCount
      default: return false
      }
    }
    return false
  }

  private func hasOptions(_ query: RawSpan, _ start: Int, _ end: Int) -> Bool {
    var offset = start
    while offset < end {
      guard offset + 4 <= end else { return false }
      offset += 4 + Int(uint16(query, offset + 2))
    }
    return offset == end
  }
}
