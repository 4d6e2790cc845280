import DNSWire
import Octets

/// Answers as JSON, in the shape that the public resolvers have made usual, and the steps of a trace beside them.
enum DNSJSON {
  static func resolution(
    _ question: Question, _ outcome: Outcome, recursionDesired: Bool, checkingDisabled: Bool, tracing: Bool
  ) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.number("Status", outcome.code.rawValue)
      json.boolean("TC", false)
      json.boolean("RD", recursionDesired)
      json.boolean("RA", true)
      json.boolean("AD", false)
      json.boolean("CD", checkingDisabled)
      json.array("Question") { json in
        json.object { json in
          json.string("name", question.name.description)
          json.number("type", question.type.rawValue)
        }
      }
      records("Answer", outcome.answers, to: &json)
      records("Authority", outcome.authorities, to: &json)
      if let comment = outcome.comment { json.string("Comment", comment) }
      if tracing {
        json.array("Trace", outcome.steps.enumerated()) { json, element in
          json.object { step(element.offset + 1, element.element, to: &$0) }
        }
      }
    }
    return json.bytes
  }

  /// Nothing where there are none.
  private static func records(_ key: String, _ records: [ResourceRecord], to json: inout JSONWriter) {
    guard !records.isEmpty else { return }
    json.array(key, records) { json, record in
      json.object { json in
        json.string("name", record.name.description)
        json.number("type", record.type.rawValue)
        json.number("TTL", record.ttl)
        json.string("data", record.data.text)
      }
    }
  }

  private static func step(_ number: Int, _ step: Step, to json: inout JSONWriter) {
    json.number("step", number)
    json.string("kind", step.kind.rawValue)
    json.number("depth", step.depth)
    json.object("question") { json in
      json.string("name", step.name.description)
      json.number("type", step.type.rawValue)
    }
    json.seconds("at", step.at)
    json.string("result", step.result.rawValue)
    if let detail = step.detail { json.string("detail", detail) }
    if let zone = step.zone { json.string("zone", zone.description) }
    if let ask = step.exchange {
      json.string("server", ask.server.description)
      if let name = step.serverName { json.string("server_name", name.description) }
      json.string("transport", ask.transport.rawValue)
      json.number("id", ask.id)
      json.boolean("recursion_desired", ask.recursionDesired)
    }
    if let rtt = step.rtt { json.seconds("rtt", rtt) }
    if let response = step.response {
      let header = response.header
      json.string("rcode", header.responseCode.description)
      let flags = [
        ("qr", header.isResponse), ("aa", header.isAuthoritative), ("tc", header.isTruncated),
        ("rd", header.recursionDesired), ("ra", header.recursionAvailable), ("ad", header.authenticData),
        ("cd", header.checkingDisabled),
      ]
      json.array("flags", flags.filter(\.1)) { json, flag in json.string(nil, flag.0) }
      json.object("counts") { json in
        json.number("question", response.questions.count)
        json.number("answer", response.answers.count)
        json.number("authority", response.authorities.count)
        // OPT is an additional record on the wire.
        json.number("additional", response.additionals.count + (response.edns == nil ? 0 : 1))
      }
      records("Answer", response.answers, to: &json)
      records("Authority", response.authorities, to: &json)
      records("Additional", response.additionals, to: &json)
    } else {
      records(step.result == .delegation ? "Authority" : "Answer", step.records, to: &json)
    }
  }

  /// One page of the cache.
  static func cache(_ items: [CacheItem], next: Int?, bytes: Int, limit: Int) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.array("items", items) { json, item in json.object { item.write(to: &$0) } }
      if let next { json.string("next", String(next)) }
      json.number("bytes", bytes)
      json.number("limit_bytes", limit)
    }
    return json.bytes
  }
}

/// A cache entry as the administrator sees it.
struct CacheItem: Sendable {
  var name: String
  var type: UInt16
  var kind: String
  var credibility: String
  var ttl: Int64
  var bytes: Int
  var data: [String]
  /// The number of the loop whose cache it is in.
  var loop = 0

  init(_ key: CacheKey, _ entry: CacheEntry, bytes: Int, now: Int64) {
    name = key.name.description
    type = key.type
    kind =
      switch entry.kind {
      case .records: "records"
      case .noData: "no_data"
      case .noSuchName: "no_such_name"
      case .failure: "failure"
      }
    credibility =
      switch entry.credibility {
      case .additional: "additional"
      case .answer: "answer"
      case .authoritativeAnswer: "authoritative_answer"
      }
    ttl = max(entry.expires - now, 0)
    self.bytes = bytes
    data = entry.records.map(\.data.text)
  }

  func write(to json: inout JSONWriter) {
    json.string("name", name)
    json.number("type", type)
    json.string("kind", kind)
    json.string("credibility", credibility)
    json.number("TTL", ttl)
    json.number("bytes", bytes)
    json.number("loop", loop)
    json.array("data", data) { json, text in json.string(nil, text) }
  }
}
