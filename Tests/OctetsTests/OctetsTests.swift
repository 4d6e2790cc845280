import Octets
import Testing

@Test(
  "RFC 4648 §10 vectors",
  arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
func base64Vectors(plain: String, encoded: String) {
  #expect(Base64.encode(Array(plain.utf8)) == Array(encoded.utf8))
  #expect(Base64.decode(Array(encoded.utf8)) == Array(plain.utf8))
}

@Test("Octets of any length come back, padded and not")
func base64RoundTrips() {
  for count in 0..<200 {
    let octets = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ count) }
    #expect(Base64.decode(Base64.encode(octets)) == octets)
    #expect(Base64.decodeURL(Base64.encodeURL(octets)) == octets)
  }
}

@Test(
  "Text that is not canonical base 64 is refused",
  arguments: ["Zg", "Zg=", "Zh==", "Z===", "Zm9v\n", "Zm-v", "=Zg=", "Zg==Zg==", "Zm9vZg=", "===="])
func base64Refusals(text: String) {
  #expect(Base64.decode(Array(text.utf8)) == nil)
}

@Test(
  "Address text is read and written canonically",
  arguments: [
    ("127.0.0.1", "127.0.0.1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
    ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
  ])
func addressText(text: String, canonical: String) throws {
  let address = try #require(IPAddress(text))
  #expect(address.description == canonical)
  #expect(IPAddress(bytes: address.bytes) == address)
}

@Test(
  "What is not an address is refused",
  arguments: [
    "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.+4", ":", ":::", "1:2:3:4:5:6:7:8:9", "1::2::3",
    "12345::",
    ":1::2", "1::2:", "g::", "1:2:3:4:5:6:7", "::1.2.3", "1.2.3.4 ",
  ])
func addressRefusals(text: String) {
  #expect(IPAddress(text) == nil)
}

@Test(
  "A network holds its own addresses only",
  arguments: [
    ("127.9.0.0/16", "127.9.255.1", true), ("127.9.0.0/16", "127.10.0.1", false), ("0.0.0.0/0", "8.8.8.8", true),
    ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::1", false), ("10.0.0.1", "10.0.0.1", true),
    ("127.0.0.0/8", "::ffff:127.0.0.1", true), ("::/0", "1.2.3.4", false),
  ])
func networkMembership(network: String, address: String, inside: Bool) throws {
  #expect(try #require(IPNetwork(network)).contains(#require(IPAddress(address))) == inside)
}

@Test(
  "A network with host bits or too long a prefix is refused",
  arguments: ["10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "x/8"])
func networkRefusals(text: String) {
  #expect(IPNetwork(text) == nil)
}

@Test("Socket addresses", arguments: ["127.0.0.1:53", "[::1]:53"])
func socketAddresses(text: String) throws {
  #expect(try #require(SocketAddress(text)).description == text)
}

@Test(
  "Socket address refusals",
  arguments: ["127.0.0.1", "::1:53", "[127.0.0.1]:53", "127.0.0.1:65536", "127.0.0.1:", "[::1]"])
func socketAddressRefusals(text: String) {
  #expect(SocketAddress(text) == nil)
}

@Test(
  "Decimals",
  arguments: [("0", 0), ("65535", 65535), ("+5", nil), ("", nil), ("65536", nil), (" 1", nil)] as [(String, Int?)])
func decimals(text: String, value: Int?) {
  #expect(Array(text.utf8).parsedDecimal(as: UInt16.self).map { Int($0) } == value)
  if let value {
    var written: [UInt8] = []
    written.appendDecimal(value)
    #expect(written == Array(text.utf8))
  }
}

@Test("The same seed says the same")
func seeded() {
  var one = SeededGenerator(seed: 7)
  var two = SeededGenerator(seed: 7)
  #expect((0..<100).map { _ in one.next() } == (0..<100).map { _ in two.next() })
}

@Suite struct CivilDateTests {
  @Test func everyDayOfEightHundredYearsIsTheNextOfTheOneBefore() {
    var (year, month, day) = (1599, 12, 31)
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    var isRight = true
    for days in CivilDate(year: 1600, month: 1, day: 1)!.days...CivilDate(year: 2400, month: 12, day: 31)!.days {
      let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      if day < lengths[month - 1] + (month == 2 && isLeap ? 1 : 0) {
        day += 1
      } else {
        (month, day) = (month % 12 + 1, 1)
        if month == 1 { year += 1 }
      }
      let date = CivilDate(days: days)
      isRight = isRight && date == CivilDate(year: year, month: month, day: day) && date.days == days
    }
    #expect(isRight)
    #expect((year, month, day) == (2400, 12, 31))
  }

  @Test(arguments: [(2026, 0, 1), (2026, 13, 1), (2026, 11, 0), (2026, 11, 31), (2026, 2, 29), (1900, 2, 29)])
  func whatTheCalendarLacksIsNoDate(year: Int, month: Int, day: Int) {
    #expect(CivilDate(year: year, month: month, day: day) == nil)
  }

  @Test func aMomentBeforeTheEpochIsOnTheDayBefore() {
    let (date, second) = CivilDate.of(-1)
    #expect(date == CivilDate(year: 1969, month: 12, day: 31))
    #expect(second == 86_399)
    #expect(date.weekday == 3)
  }
}
