import MailWire
import Testing

@Suite struct TransferEncodingTests {
  @Test(arguments: [
    ("a=20b", "a b"), ("a=\r\nb", "ab"), ("a=\nb", "ab"), ("a= \t\r\nb", "ab"), ("a  \r\nb", "a\r\nb"), ("=c3=A9", "é"),
    ("a=", "a"), ("a \t", "a"), ("=20 \r\n", " \r\n"), ("a=3D3D", "a=3D"),
  ])
  func `quoted-printable is read`(encoded: String, text: String) {
    let decoded = TransferEncoding.quotedPrintable.decode(encoded.utf8)
    #expect(String(decoding: decoded.octets, as: UTF8.self) == text)
    #expect(decoded.problem == nil)
  }

  @Test(arguments: ["a=ZZ", "a=4", "==", "=\rx"])
  func `a broken escape stays as it stands, with the reason`(encoded: String) {
    let decoded = TransferEncoding.quotedPrintable.decode(encoded.utf8)
    #expect(decoded.problem != nil || encoded == "==")
    #expect(!decoded.octets.isEmpty)
  }

  @Test(arguments: [
    ("aGVsbG8=", "hello"), ("aGVs\r\nbG8=", "hello"), ("aGVsbG8", "hello"), ("aGU=bGxv", "hello"), ("", ""),
    ("====", ""),
  ])
  func `base64 is read`(encoded: String, text: String) {
    let decoded = TransferEncoding.base64.decode(encoded.utf8)
    #expect(String(decoding: decoded.octets, as: UTF8.self) == text)
    #expect(decoded.problem == nil)
  }

  @Test func `foreign characters and a cut are told`() {
    #expect(TransferEncoding.base64.decode("aGV*sbG8=".utf8).octets == Array("hello".utf8))
    #expect(TransferEncoding.base64.decode("aGV*sbG8=".utf8).problem != nil)
    #expect(TransferEncoding.base64.decode("aGVsb".utf8).problem != nil)
    #expect(TransferEncoding(parsing: "x-uuencode".utf8).decode("abc".utf8).problem != nil)
  }

  static let samples: [[UInt8]] =
    [
      [], Array("plain\r\n".utf8), Array("tail \r\nand\t\r\n ".utf8), Array(".\r\nFrom here\r\n.dot\r\n".utf8),
      Array(0...255), [0x0D], [0x0A], [0x0D, 0x0D, 0x0A, 0x0A], [UInt8](repeating: 0x61, count: 300),
      [UInt8](repeating: 0xC3, count: 300), Array("é=ü".utf8), [UInt8](repeating: 0x20, count: 200),
    ] + (70...80).map { [UInt8](repeating: 0x62, count: $0) + [0xE9] }
    + (70...80).map { [UInt8](repeating: 0x62, count: $0) + [0x0D, 0x0A, 0x63] }

  @Test(arguments: samples)
  func `what is encoded is decoded, in lines of at most 76`(octets: [UInt8]) {
    for encoding in [TransferEncoding.quotedPrintable, .base64] {
      let encoded =
        encoding == .base64
        ? TransferEncoding.encodeBase64(octets) : TransferEncoding.encodeQuotedPrintable(octets)
      #expect(encoding.decode(encoded).octets == octets)
      #expect(encoded.allSatisfy { $0 < 0x7F })
      for line in String(decoding: encoded, as: UTF8.self).utf8.split(separator: 0x0A) {
        #expect(line.filter { $0 != 0x0D }.count <= 76)
        #expect(line.dropLast().last != 0x20)
      }
    }
  }

  @Test func `every prefix of an encoded text is read`() {
    for octets in Self.samples {
      let encoded = TransferEncoding.encodeQuotedPrintable(octets)
      for end in 0...encoded.count {
        _ = TransferEncoding.quotedPrintable.decode(encoded[..<end])
        _ = TransferEncoding.base64.decode(encoded[..<end])
      }
    }
  }
}
