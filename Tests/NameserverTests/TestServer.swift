import DNSWire
import Octets
import Testing

@testable import Nameserver

/// Zones and a responder to ask, without any socket.
struct TestServer {
  var responder: Responder
  static let hash: NameHash = {
    var generator = SeededGenerator(seed: 1)
    return NameHash(using: &generator)
  }()

  init(serving zones: [Zone]) throws {
    let trees = try zones.map { try ZoneCompiler.compile($0, by: Self.hash) }
    responder = Responder(ZoneCatalog(trees), by: Self.hash)
  }

  /// Each zone as its name and its text; an SOA is put before it.
  init(_ zones: [(name: String, text: String)]) throws {
    try self.init(serving: try zones.map { try TestServer.zone($0.name, $0.text) })
  }

  static func zone(_ name: String, _ text: String) throws -> Zone {
    let origin = try #require(Name(name))
    let soa = "@ 3600 IN SOA ns.invalid. admin.invalid. 1 7200 600 86400 300\n"
    var zone = Zone(name: origin)
    zone.add(try ZoneFile(parsing: Array((soa + text).utf8), origin: origin, defaultTTL: 3600).records)
    return zone
  }

  /// The response to these octets; nil for none.
  mutating func exchange(_ octets: [UInt8], _ transport: Responder.Transport = .udp) throws -> Message? {
    let count = unsafe responder.respond(octets.span.bytes, transport)
    guard count > 0 else { return nil }
    return try Message(decoding: Array(responder.writer.bytes[..<count]))
  }

  mutating func ask(_ message: Message, _ transport: Responder.Transport = .udp) throws -> Message {
    try #require(try exchange(message.encoded(), transport))
  }

  mutating func ask(
    _ name: String, _ type: RecordType = .a, edns: EDNS? = EDNS(), over transport: Responder.Transport = .udp
  ) throws -> Message {
    let question = Question(name: try #require(Name(name)), type: type)
    let response = try ask(Message(id: 77, question: question, edns: edns), transport)
    #expect(response.header.isResponse && response.header.id == 77 && response.questions == [question])
    return response
  }
}

extension Message {
  /// "NOERROR aa | answers | authorities | additionals", records sorted, for one look.
  var summary: String {
    let flags = [header.isAuthoritative ? " aa" : "", header.isTruncated ? " tc" : ""].joined()
    let sections = [answers, authorities, additionals].map { records in
      records.map { "\($0.name) \($0.type) \($0.type == .soa ? "\($0.ttl)" : $0.data.text)" }
        .joined(separator: ", ")
    }
    return "\(header.responseCode)\(flags) | " + sections.joined(separator: " | ")
  }

  /// As above, the order within each section not told.
  var sortedSummary: String {
    var copy = self
    func sorted(_ records: [ResourceRecord]) -> [ResourceRecord] {
      records.sorted { "\($0.name) \($0.data.text)" < "\($1.name) \($1.data.text)" }
    }
    copy.answers = sorted(answers)
    copy.authorities = sorted(authorities)
    copy.additionals = sorted(additionals)
    return copy.summary
  }
}
