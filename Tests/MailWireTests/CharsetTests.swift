import MailWire
import Octets
import Testing

@Suite struct CharsetTests {
  @Test(
    arguments: [
      ([0xE9], "iso-8859-1", "é"), ([0xA4], "ISO-8859-15", "€"), ([0x80], "windows-1252", "€"), ([0x9F], "cp1252", "Ÿ"),
      ([0xC3, 0xA9], "UTF8", "é"), ([0x61], "us-ascii", "a"), ([0x61], "koi8-r", "a"), ([0x61], "gb2312", "a"),
    ] as [([UInt8], String, String)])
  func `a known set is read`(octets: [UInt8], name: String, text: String) {
    let decoded = Charset.decode(octets, named: name)
    #expect(decoded.text == text)
    #expect(decoded.problem == nil)
  }

  /// What Python's codecs make of them.
  @Test(
    arguments: [
      ("iso-8859-1", "436166e9", "Café"),
      ("iso-8859-2", "ae6c75bb6f75e86bfd", "Žluťoučký"),
      ("iso-8859-3", "c66975bc61fd6465", "Ĉiuĵaŭde"),
      ("iso-8859-4", "ae656dec", "Žemė"),
      ("iso-8859-5", "bfe0d8d2d5e2", "Привет"),
      ("iso-8859-6", "e5d1cdc8c7", "\u{645}\u{631}\u{62D}\u{628}\u{627}"),
      ("iso-8859-7", "c3e5e9dc", "Γειά"),
      ("iso-8859-8", "f9ece5ed", "\u{5E9}\u{5DC}\u{5D5}\u{5DD}"),
      ("iso-8859-8-i", "f9ece5ed", "\u{5E9}\u{5DC}\u{5D5}\u{5DD}"),
      ("iso-8859-9", "49fefd6b", "Işık"),
      ("latin5", "49fefd6b", "Işık"),
      ("iso-8859-10", "def372f07572", "Þórður"),
      ("iso-8859-11", "cac7d1ca", "\u{E2A}\u{E27}\u{E31}\u{E2A}"),
      ("iso-8859-13", "dee073f8", "Žąsų"),
      ("iso-8859-14", "d0796e", "Ŵyn"),
      ("iso-8859-15", "a420bc75767265", "€ Œuvre"),
      ("iso-8859-16", "aa7469696efee3", "Știință"),
      ("windows-874", "e4b7c2", "\u{E44}\u{E17}\u{E22}"),
      ("windows-1250", "a3f3649f20847893", "Łódź „x“"),
      ("windows-1251", "cff0e8e2b3f2", "Привіт"),
      ("CP1251", "cff0e8e2b3f2", "Привіт"),
      ("windows-1252", "93fc942080", "“ü” €"),
      ("windows-1253", "bff1e1", "Ώρα"),
      ("windows-1254", "49fefd6b2080", "Işık €"),
      ("windows-1255", "f9d1a4", "\u{5E9}\u{5C1}\u{20AA}"),
      ("windows-1256", "d3e1c7e381", "\u{633}\u{644}\u{627}\u{645}\u{67E}"),
      ("windows-1257", "c0fe756f6c6173", "Ąžuolas"),
      ("windows-1258", "5669f2ea7420fe", "Vi\u{323}êt \u{20AB}"),
      ("KOI8-R", "f0d2c9d7c5d420a3", "Привет ё"),
      ("koi8-u", "b7d6c1cb20ad", "Їжак ґ"),
      ("ibm866", "8fe0a8a2a5e220f1b3", "Привет ё│"),
      ("iso8859-5", "80ff", "\u{80}џ"),
    ] as [(String, String, String)])
  func `a set of one octet a character is read by its table`(name: String, hex: String, text: String) throws {
    let decoded = Charset.decode(try #require(Hex.decode(hex)), named: name)
    #expect(decoded.text.unicodeScalars.elementsEqual(text.unicodeScalars))
    #expect(decoded.problem == nil)
  }

  @Test func `every octet of every set is read`() {
    let all = Array(UInt8.min ... .max)
    for name in (1...16).map({ "iso-8859-\($0)" }) + (1250...1258).map({ "cp\($0)" }) + ["koi8-r", "koi8-u", "cp866"]
    where name != "iso-8859-12" {
      let text = Charset.decode(all, named: name).text.unicodeScalars
      #expect(text.count == 256)
      // Each is there once, but for those that mean nothing.
      #expect(Set(text).count == 256 - max(0, text.count { $0 == "\u{FFFD}" } - 1))
    }
  }

  @Test func `an unknown set and wrong octets are shown, with the reason`() {
    #expect(Charset.decode([0xF0], named: "euc-kr").problem != nil)
    #expect(Charset.decode([0xF0], named: "euc-kr").text == "ð")
    #expect(
      Charset.decode([0xAE, 0xC3], named: "iso-8859-3").problem == "the text has octets that mean nothing in iso-8859-3"
    )
    #expect(Charset.decode([0xAE, 0xC3], named: "iso-8859-3").text == "\u{FFFD}\u{FFFD}")
    #expect(Charset.decode([0xFF], named: "utf-8").problem != nil)
    #expect(Charset.decode([0x41, 0x30], named: "utf-16").problem != nil)
  }
}
