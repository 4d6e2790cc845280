import DNSWire
import Octets

/// What to do with a message that a client sent and the packet cache couldn't answer.
enum Intake {
  /// Say nothing: to answer a response would start a loop (RFC 5625 §6.1 tells of such).
  case ignore
  /// Answer at once, with an error.
  case reply([UInt8])
  /// Resolve the question; the answer is written for this form of the query.
  /// `trace` is the value of EDNS option 65500, not yet believed.
  case resolve(Question, query: [UInt8], trace: [UInt8]?)

  init(_ message: RawSpan) {
    guard let header = Header(decoding: message), !header.isResponse else {
      self = .ignore
      return
    }
    guard header.opcode == .query else {
      self = .reply(Self.bare(header, .notImplemented))
      return
    }
    guard let query = try? Message(decoding: message), query.questions.count == 1, let question = query.questions.first
    else {
      self = .reply(Self.bare(header, .formatError))
      return
    }
    if let edns = query.edns, edns.version != 0 {
      self = .reply(Self.error(query, .badVersion))
      return
    }
    guard question.class == .internet else {
      self = .reply(Self.error(query, question.class == .any ? .notImplemented : .refused))
      return
    }
    switch question.type {
    case .any: break
    case .opt, RecordType(rawValue: 0), RecordType(rawValue: 249), RecordType(rawValue: 250):
      self = .reply(Self.error(query, .formatError))
      return
    case let type where type.isMeta:
      self = .reply(Self.error(query, .notImplemented))
      return
    default: break
    }
    self = .resolve(question, query: Self.common(query, question), trace: query.edns?.option(EDNSOption.trace))
  }

  /// The query in the form that `ClientQuery` reads, however it was written.
  private static func common(_ query: Message, _ question: Question) -> [UInt8] {
    var header = Header(id: query.header.id)
    header.recursionDesired = query.header.recursionDesired
    header.checkingDisabled = query.header.checkingDisabled
    let edns = query.edns.map { EDNS(payloadSize: $0.payloadSize, dnssecOK: $0.dnssecOK) }
    return Message(header: header, questions: [question], edns: edns).encoded()
  }

  /// An answer to what could not be read: its header alone.
  static func bare(_ header: Header, _ code: ResponseCode) -> [UInt8] {
    var answer = Header(id: header.id)
    answer.isResponse = true
    answer.opcode = header.opcode
    answer.recursionDesired = header.recursionDesired
    answer.recursionAvailable = true
    answer.responseCode = code
    return Message(header: answer).encoded()
  }

  static func error(_ query: Message, _ code: ResponseCode) -> [UInt8] {
    var answer = Message(respondingTo: query, responseCode: code)
    answer.header.recursionAvailable = true
    return answer.encoded(limit: ClientQuery.udpCap)
  }

  /// An error to any query, as much of it as can be read.
  static func refusal(_ message: RawSpan, _ code: ResponseCode) -> [UInt8]? {
    guard let header = Header(decoding: message), !header.isResponse else { return nil }
    guard let query = try? Message(decoding: message) else { return bare(header, code) }
    return error(query, code)
  }
}
