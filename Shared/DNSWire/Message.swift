/// A DNS message (RFC 1035 §4). Its OPT record, if any, is `edns`, not an additional record.
public struct Message: Hashable, Sendable {
  /// Octets of the longest message: TCP's length prefix has sixteen bits.
  public static let maximumLength = 65535
  /// What UDP carries without EDNS (RFC 1035 §4.2.1).
  public static let plainUDPLength = 512

  public var header: Header
  public var questions: [Question]
  public var answers: [ResourceRecord]
  public var authorities: [ResourceRecord]
  public var additionals: [ResourceRecord]
  public var edns: EDNS?

  public init(
    header: Header, questions: [Question] = [], answers: [ResourceRecord] = [], authorities: [ResourceRecord] = [],
    additionals: [ResourceRecord] = [], edns: EDNS? = nil
  ) {
    self.header = header
    self.questions = questions
    self.answers = answers
    self.authorities = authorities
    self.additionals = additionals
    self.edns = edns
  }

  /// A query for one question.
  public init(id: UInt16, question: Question, recursionDesired: Bool = false, edns: EDNS? = EDNS()) {
    var header = Header(id: id)
    header.recursionDesired = recursionDesired
    self.init(header: header, questions: [question], edns: edns)
  }

  /// The response to `query`, without records yet: its id, opcode, RD and CD (RFC 4035 §3.2.2) and questions.
  public init(respondingTo query: Message, responseCode: ResponseCode = .noError) {
    var header = Header(id: query.header.id)
    header.isResponse = true
    header.opcode = query.header.opcode
    header.recursionDesired = query.header.recursionDesired
    header.checkingDisabled = query.header.checkingDisabled
    header.responseCode = responseCode
    self.init(header: header, questions: query.questions, edns: query.edns == nil ? nil : EDNS())
  }

  /// All of `message`, which must hold exactly one message.
  public init(decoding message: RawSpan) throws(WireError) {
    guard let header = Header(decoding: message) else { throw .truncated(offset: message.byteCount) }
    self.init(header: header)
    var cursor = WireCursor(4, end: message.byteCount)
    let counts = (
      try cursor.uint16(message), try cursor.uint16(message), try cursor.uint16(message), try cursor.uint16(message)
    )
    for _ in 0..<counts.0 { questions.append(try Question(&cursor, message)) }
    answers = try Message.records(counts.1, &cursor, message)
    authorities = try Message.records(counts.2, &cursor, message)
    for _ in 0..<counts.3 {
      let start = cursor.offset
      let prefix = try RecordPrefix(&cursor, message)
      guard prefix.type == .opt else {
        additionals.append(try prefix.record(message))
        continue
      }
      guard edns == nil, prefix.name.isRoot else { throw .badOPT(offset: start) }
      edns = try EDNS(prefix, message)
      self.header.responseCode = ResponseCode(
        rawValue: UInt16(prefix.ttl >> 24) << 4 | header.responseCode.rawValue)
    }
    guard cursor.offset == message.byteCount else { throw .trailingOctets(offset: cursor.offset) }
  }

  /// As above, from an array.
  public init(decoding octets: [UInt8]) throws(WireError) {
    // Every octet of an array of octets is initialised.
    unsafe try self.init(decoding: octets.span.bytes)
  }

  private static func records(_ count: UInt16, _ cursor: inout WireCursor, _ message: RawSpan) throws(WireError)
    -> [ResourceRecord]
  {
    var records: [ResourceRecord] = []
    for _ in 0..<count {
      let start = cursor.offset
      let prefix = try RecordPrefix(&cursor, message)
      guard prefix.type != .opt else { throw .badOPT(offset: start) }
      records.append(try prefix.record(message))
    }
    return records
  }
}

extension Message {
  /// The message in wire format, of at most `limit` octets. Where it does not fit, whole RRsets are left out from the
  /// end: of the additional section in silence, of the others with TC set (RFC 2181 §9). OPT always stays.
  /// - Parameter limit: at least the length of header, questions and OPT.
  public func encoded(limit: Int = Message.maximumLength) -> [UInt8] {
    var writer = MessageWriter()
    var tail = MessageWriter(compressing: false)
    if let edns { tail.append(edns, responseCode: header.responseCode) }
    var isTruncated = header.isTruncated
    writer.append(header.id)
    writer.append(UInt16(0))
    for count in [questions.count, 0, 0, 0] { writer.append(UInt16(clamping: count)) }
    for question in questions { writer.append(question) }
    let room = min(limit, Message.maximumLength) - tail.bytes.count
    let sections = [(answers, 6, true), (authorities, 8, true), (additionals, 10, false)]
    for (records, countOffset, isRequired) in sections {
      let written = isTruncated && !header.isTruncated ? 0 : writer.append(records, room: room)
      writer.patch(UInt16(clamping: written), at: countOffset)
      if written < records.count, isRequired { isTruncated = true }
    }
    if edns != nil {
      let additionals = UInt16(writer.bytes[10]) << 8 | UInt16(writer.bytes[11])
      writer.patch(additionals + 1, at: 10)
      writer.append(octets: tail.bytes)
    }
    var header = header
    header.isTruncated = isTruncated
    writer.patch(header.flags, at: 2)
    return writer.bytes
  }
}

extension MessageWriter {
  /// Appends whole RRsets while they end within `room` octets; the number of records written.
  fileprivate mutating func append(_ records: [ResourceRecord], room: Int) -> Int {
    var written = 0
    while written < records.count {
      let (mark, first) = (bytes.count, records[written])
      var end = written
      while end < records.count, records[end].type == first.type, records[end].name == first.name {
        append(records[end])
        end += 1
      }
      guard bytes.count <= room else {
        truncate(to: mark)
        return written
      }
      written = end
    }
    return written
  }
}
