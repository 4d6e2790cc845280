import HTTPWire
import Testing

@Suite("Dates")
struct HTTPDateTests {
  @Test(
    "are read in all three formats of RFC 9110 section 5.6.7",
    arguments: ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
  func formats(text: String) {
    #expect(HTTPDate.parse(Array(text.utf8)) == 784_111_777)
  }

  @Test(
    "are written as IMF-fixdate and read back",
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
      (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
      (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"), (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] as [(Int64, String)])
  func format(seconds: Int64, text: String) {
    #expect(String(decoding: HTTPDate.format(seconds), as: UTF8.self) == text)
    #expect(HTTPDate.parse(Array(text.utf8)) == seconds)
  }

  @Test("round-trip over four centuries")
  func roundTrip() {
    for seconds in stride(from: Int64(-6_000_000_000), to: 8_000_000_000, by: 12_345_678) {
      #expect(HTTPDate.parse(HTTPDate.format(seconds)) == seconds)
    }
  }

  @Test("with two digits of a year lie at most fifty years ahead")
  func shortYears() {
    #expect(HTTPDate.parse(Array("Sunday, 06-Nov-76 08:49:37 GMT".utf8), currentYear: 2026) == 3_371_878_177)
    #expect(HTTPDate.parse(Array("Sunday, 06-Nov-77 08:49:37 GMT".utf8), currentYear: 2026) == 247_654_177)
  }

  @Test(
    "that are malformed are none",
    arguments: [
      "", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
      "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
      "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ", "1994-11-06T08:49:37Z", ",,,",
      "Sun, +6 Nov 1994 08:49:37 GMT",
    ])
  func malformed(text: String) {
    #expect(HTTPDate.parse(Array(text.utf8)) == nil)
  }
}
