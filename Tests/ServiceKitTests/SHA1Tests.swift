import Octets
import Testing

@testable import ServiceKit

@Suite struct SHA1Tests {
  /// FIPS 180-2, appendix A.
  @Test(arguments: [
    ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
    ),
  ]) func theStandardsExamples(text: String, hash: String) throws {
    #expect(Hex.encode(try Secrets.sha1(of: [Array(text.utf8)])) == hash)
    #expect(Hex.encode(try Secrets.sha1(text.utf8)) == hash)
    #expect(Hex.encode(try Secrets.sha1(of: text.utf8.map { [$0] } + [[]])) == hash)
  }

  @Test func itBeginsAnewOnceItIsFinished() throws {
    var sha1 = try SHA1()
    try sha1.update(Array("abc".utf8))
    let first = try sha1.finish()
    try sha1.update(Array("abc".utf8))
    #expect(try sha1.finish() == first)
    #expect(try sha1.finish() == Secrets.sha1([]))
  }
}
