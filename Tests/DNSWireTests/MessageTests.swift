import Octets
import Testing

@testable import DNSWire

struct MessageTests {
  /// A response with every kind of RDATA, names that compress, and EDNS.
  static func sample() throws -> Message {
    let zone = try #require(Name("Example.com"))
    let host = try #require(Name("www.example.com"))
    var message = Message(id: 0xBEEF, question: Question(name: host, type: .a), recursionDesired: true)
    message.header.isResponse = true
    message.header.isAuthoritative = true
    message.header.responseCode = .badVersion
    message.edns = EDNS(
      payloadSize: 4096, dnssecOK: true, options: [EDNSOption(code: EDNSOption.cookie, data: [1, 2])])
    let soa = SOA(
      primary: host, mailbox: try #require(Name("host\\.master.example.com")), serial: 1, refresh: 2, retry: 3,
      expire: 4, minimum: 5)
    let data: [RData] = [
      .address(IPAddress(v4: 0x0102_0304)), .address(try #require(IPAddress("2001:db8::1"))), .ns(host), .cname(host),
      .soa(soa), .ptr(host), .mx(preference: 10, exchange: host), .txt([Array("a b".utf8), []]),
      .srv(SRV(priority: 1, weight: 2, port: 3, target: host)), .dname(zone),
      .caa(try #require(CAA(flags: 128, tag: Array("issue".utf8), value: Array("ca.example".utf8)))),
      .unknown(RecordType(rawValue: 65280), [1, 2, 3]),
    ]
    message.answers = data.map { ResourceRecord(name: zone, ttl: 300, data: $0) }
    message.authorities = [ResourceRecord(name: zone, ttl: 60, data: .soa(soa))]
    message.additionals = [ResourceRecord(name: host, ttl: 0, data: .address(IPAddress(v4: 1)))]
    return message
  }

  @Test func everyFieldSurvivesARoundTrip() throws {
    let message = try MessageTests.sample()
    let octets = message.encoded()
    #expect(try Message(decoding: octets) == message)
    #expect(try Message(decoding: octets).encoded() == octets)
  }

  @Test func everyHeaderBitHasItsPlace() {
    for bit in 0..<16 {
      let flags = UInt16(1) << UInt16(bit)
      #expect(Header(id: 7, flags: flags).flags == flags)
    }
    #expect(Header(id: 0, flags: 0x8583).responseCode == .nameError)
    #expect(Header(id: 0, flags: 0x2000).opcode == .notify)
  }

  @Test func aMessageCutAtAnyOffsetIsRefused() throws {
    let octets = try MessageTests.sample().encoded()
    for count in octets.indices {
      #expect(throws: WireError.self) { try Message(decoding: Array(octets[..<count])) }
    }
    #expect(throws: WireError.trailingOctets(offset: octets.count)) { try Message(decoding: octets + [0]) }
  }

  @Test func anyOctetMayBeWrongWithoutATrap() throws {
    let octets = try MessageTests.sample().encoded()
    for index in octets.indices {
      for value: UInt8 in [0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF] {
        var broken = octets
        broken[index] = value
        if let message = try? Message(decoding: broken) { _ = message.encoded() }
      }
    }
  }

  /// The names of RFC 1035 §4.1.4: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, a pointer to ARPA at 64, the root at 92.
  @Test func compressionPointersAreFollowed() throws {
    var octets = [UInt8](repeating: 0, count: 93)
    octets.replaceSubrange(20..<32, with: [1, 0x46, 3, 0x49, 0x53, 0x49, 4, 0x41, 0x52, 0x50, 0x41, 0])
    octets.replaceSubrange(40..<46, with: [3, 0x46, 0x4F, 0x4F, 0xC0, 20])
    octets.replaceSubrange(64..<66, with: [0xC0, 26])
    for (start, text, end) in [(20, "F.ISI.ARPA", 32), (40, "FOO.F.ISI.ARPA", 46), (64, "ARPA", 66), (92, ".", 93)] {
      var offset = start
      let name = unsafe try Name(decoding: octets.span.bytes, at: &offset)
      #expect(name == Name(text) && offset == end)
    }
  }

  @Test(
    arguments: [
      ([0xC0, 0], WireError.badPointer(offset: 0)),
      ([1, 0x61, 0xC0, 0], .badPointer(offset: 2)),
      ([0xC0, 2, 0], .badPointer(offset: 0)),
      ([0x40], .badLabelType(offset: 0)),
      ([0x80], .badLabelType(offset: 0)),
      ([3, 0x61], .truncated(offset: 2)),
      ([0xC0], .truncated(offset: 1)),
      ([], .truncated(offset: 0)),
    ] as [([UInt8], WireError)])
  func badNamesAreRefused(octets: [UInt8], error: WireError) {
    #expect(throws: error) {
      var offset = 0
      _ = unsafe try Name(decoding: octets.span.bytes, at: &offset)
    }
  }

  @Test func aNameThatExpandsBeyond255OctetsIsRefused() {
    // Each name is a label of 63 before a pointer to the one before it.
    var octets: [UInt8] = [0]
    var last = 0
    for _ in 0..<4 {
      let start = octets.count
      octets += [63] + [UInt8](repeating: 0x61, count: 63) + [0xC0 | UInt8(last >> 8), UInt8(last & 255)]
      last = start
    }
    #expect(throws: WireError.nameTooLong(offset: last)) {
      var offset = last
      _ = unsafe try Name(decoding: octets.span.bytes, at: &offset)
    }
  }

  @Test func repeatedNamesAreCompressedButNotInLaterTypes() throws {
    let octets = try MessageTests.sample().encoded()
    let label: [UInt8] = [3] + Array("www".utf8)
    let copies = octets.indices.count { octets[$0...].starts(with: label) }
    #expect(copies == 2, "once in the question, once in SRV")
  }

  @Test(
    arguments: [
      (RecordType.a, [1, 2, 3]), (.a, [1, 2, 3, 4, 5]), (.aaaa, [1, 2, 3, 4]), (.ns, [0, 0]), (.mx, [0]), (.txt, []),
      (.txt, [5, 1]), (.srv, [0, 0, 0, 0, 0, 0]), (.soa, [0, 0, 0]), (.caa, [0]), (.cname, []),
    ] as [(RecordType, [UInt8])])
  func rdataOfTheWrongLengthIsRefused(type: RecordType, octets: [UInt8]) {
    #expect(throws: WireError.badRDataLength(offset: 0)) {
      _ = unsafe try RData(decoding: octets.span.bytes, range: 0..<octets.count, type: type)
    }
  }

  @Test func aSecondOrMisplacedOPTIsRefused() throws {
    let query = Message(id: 1, question: Question(name: .root, type: .ns)).encoded()
    let opt = Array(query[17...])
    #expect(opt.count == 11)
    var twice = query + opt
    twice[11] = 2
    #expect(throws: WireError.badOPT(offset: 28)) { try Message(decoding: twice) }
    var answer = query
    answer[11] = 0
    answer[7] = 1
    #expect(throws: WireError.badOPT(offset: 17)) { try Message(decoding: answer) }
  }

  @Test func aTTLWithTheHighestBitIsZero() throws {
    var message = Message(header: Header(id: 1))
    message.answers = [ResourceRecord(name: .root, ttl: 0x8000_0001, data: .address(IPAddress(v4: 1)))]
    #expect(try Message(decoding: message.encoded()).answers[0].ttl == 0)
  }

  @Test func whatDoesNotFitIsLeftOutByRRset() throws {
    let name = try #require(Name("a.example"))
    var message = Message(id: 1, question: Question(name: name, type: .a))
    message.answers = (1...40).map { ResourceRecord(name: name, ttl: 1, data: .address(IPAddress(v4: $0))) }
    let cut = try Message(decoding: message.encoded(limit: 512))
    #expect(cut.header.isTruncated && cut.answers.isEmpty && cut.edns != nil)
    message.additionals = message.answers
    message.answers = [message.answers[0]]
    let whole = try Message(decoding: message.encoded(limit: 512))
    #expect(!whole.header.isTruncated && whole.answers.count == 1 && whole.additionals.isEmpty)
  }
}
