import MailWire
import Testing

/// What a field may cost, whatever its length; the bound is on what comes out, since time differs from host to host.
@Suite struct HostileHeaderTests {
  private static func field(_ name: String, _ value: String) -> ParsedMessage {
    ParsedMessage(Array("\(name): \(value)\r\n\r\nx\r\n".utf8))
  }

  @Test func `of a long field only the front is read`() {
    for piece in ["=?utf-8?q?a?= ", "word ", "x", "é", "=?utf-8?q?", "(", "\""] {
      let message = Self.field("Subject", String(repeating: piece, count: 100_000))
      let read = message.header.fields[0].read()
      #expect(1000...HeaderField.readLimit ~= read.text.utf8.count)
      #expect(read.problem == "only its first \(HeaderField.readLimit) octets are read")
      #expect(message.subject == read.text)
    }
    let whole = String(repeating: "é", count: HeaderField.readLimit / 2)
    #expect(Self.field("Subject", whole).header.fields[0].read() == (whole, nil))
    #expect(Self.field("Subject", whole + "é").subject == whole)
  }

  @Test func `of a long list only the front is read, and no address is cut in two`() {
    let message = Self.field("To", String(repeating: "bob@hamburger.edu, ", count: 10_000))
    #expect(message.to.count == ParsedMessage.addressLimit / 19)
    #expect(message.to.allSatisfy { $0.raw == "bob@hamburger.edu" })
    #expect(message.addressProblem("To") != nil)
    let several = ParsedMessage(Array(String(repeating: "Cc: bob@hamburger.edu\r\n", count: 2000).utf8) + [0x0D, 0x0A])
    #expect(several.cc.count == 2000 && several.addressProblem("Cc") == nil)
    let one = Self.field("To", String(repeating: "a", count: 100_000))
    #expect(one.to.isEmpty && one.addressProblem("To") != nil)
  }

  @Test func `parameters and ids have bounds`() {
    let long = String(repeating: "a", count: 100_000)
    #expect(ParameterField(parsing: "text/plain; name=\(long)".utf8)["name"]?.utf8.count ?? 0 < HeaderField.readLimit)
    #expect(MessageID.list("<\(long)@x> <1@x>".utf8) == ["<1@x>"])
    #expect(Self.field("Content-ID", "<\(long)>").root.contentID?.utf8.count == 998)
  }

  @Test func `a letter is put in seven bits whole, however long its fields`() throws {
    let subject = String(repeating: "Grüße ", count: 5000) + "Ende"
    let people = String(repeating: "Jörg <j@x.y>,\r\n ", count: 3000) + "Ende <e@x.y>"
    let letter = Array("Subject: \(subject)\r\nTo: \(people)\r\n\r\nx\r\n".utf8)
    let header = HeaderBlock(try SevenBit.convert(letter))
    #expect((header.first("Subject")?.value).map { EncodedWord.decode($0) } == subject)
    #expect((header.first("To")?.value).map { NamedAddress.list($0, limit: .max).count } == 3001)
  }
}
