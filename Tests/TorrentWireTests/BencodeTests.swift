import Testing

@testable import TorrentWire

@Suite struct BencodeTests {
  static func decode(_ text: String) throws(BencodeError) -> Bencode { try Bencode.decode(Array(text.utf8)[...]) }

  /// The examples of BEP 3, and the ends of what fits.
  @Test func valuesAreRead() throws {
    #expect(try Self.decode("4:spam").text == "spam" && Self.decode("0:").string?.isEmpty == true)
    #expect(try Self.decode("i3e").integer == 3 && Self.decode("i-3e").integer == -3 && Self.decode("i0e").integer == 0)
    #expect(try Self.decode("i9223372036854775807e").integer == .max)
    #expect(try Self.decode("i-9223372036854775808e").integer == .min)
    #expect(try Self.decode("l4:spam4:eggse").list?.map(\.text) == ["spam", "eggs"])
    let cow = try Self.decode("d3:cow3:moo4:spam4:eggse")
    #expect(cow["cow"]?.text == "moo" && cow["spam"]?.text == "eggs" && cow["x"] == nil && cow.isSorted)
    let spam = try Self.decode("d4:spaml1:a1:bee")
    #expect(spam["spam"]?.list?.map(\.text) == ["a", "b"])
    #expect(String(decoding: spam["spam"]?.octets ?? [], as: UTF8.self) == "l1:a1:be")
    #expect(try Self.decode("le").list?.isEmpty == true && Self.decode("de").dictionary?.isEmpty == true)
  }

  @Test(arguments: [
    ("", BencodeError.truncated), ("i", .truncated), ("i1", .truncated), ("l", .truncated), ("d1:a", .truncated),
    ("5:spam", .truncated), ("5", .truncated), ("18446744073709551615:", .truncated), ("i-0e", .badNumber(offset: 1)),
    ("i00e", .badNumber(offset: 1)), ("i03e", .badNumber(offset: 1)), ("i-03e", .badNumber(offset: 2)),
    ("ie", .badNumber(offset: 1)), ("i-e", .badNumber(offset: 2)), ("i+1e", .badNumber(offset: 1)),
    ("i1.5e", .badNumber(offset: 1)), ("i 1e", .badNumber(offset: 1)), ("i9223372036854775808e", .badNumber(offset: 1)),
    ("i-9223372036854775809e", .badNumber(offset: 1)), ("i99999999999999999999999e", .badNumber(offset: 1)),
    ("04:spam", .badNumber(offset: 0)), ("-1:a", .unexpected(offset: 0)), ("x", .unexpected(offset: 0)),
    ("e", .unexpected(offset: 0)), ("di1e1:ae", .badKey(offset: 1)), ("d1:a1:b1:a1:ce", .badKey(offset: 9)),
    ("d1:b0:1:a0:1:b0:e", .badKey(offset: 13)), ("dlei1ee", .badKey(offset: 1)), ("i1ei2e", .trailingOctets(offset: 3)),
    ("d1:ai1ee ", .trailingOctets(offset: 8)),
  ])
  func whatIsWrittenOtherwiseIsRefused(text: String, error: BencodeError) {
    #expect(throws: error) { try Self.decode(text) }
  }

  @Test func keysOutOfOrderAreReadAndTold() throws {
    #expect(try !Self.decode("d1:b0:1:a0:e").isSorted)
    #expect(try !Self.decode("d1:al1:xd1:z0:1:y0:eee").isSorted)
    #expect(try Self.decode("d1:a0:1:b0:2:aa0:e").isSorted == false)
    #expect(try Self.decode("d1:a0:2:aa0:1:b0:e").isSorted)
  }

  @Test func depthAndNumberHaveBounds() throws {
    let nested = { (depth: Int) in String(repeating: "l", count: depth) + String(repeating: "e", count: depth) }
    #expect(try Self.decode(nested(Bencode.depthLimit)).list?.count == 1)
    #expect(throws: BencodeError.tooDeep) { try Self.decode(nested(Bencode.depthLimit + 1)) }
    #expect(throws: BencodeError.tooDeep) { try Self.decode(String(repeating: "d1:a", count: 100_000)) }
    let many = Array(("l" + String(repeating: "0:", count: 100) + "e").utf8)[...]
    #expect(try Bencode.decode(many, values: 101).list?.count == 100)
    #expect(throws: BencodeError.tooMany) { try Bencode.decode(many, values: 100) }
  }

  @Test func theFirstOfSeveralValuesEndsWhereItEnds() throws {
    let octets = Array("xxd1:ai1ee\u{0}\u{1}".utf8)
    let first = try Bencode.decodeFirst(octets[2...])
    #expect(first["a"]?.integer == 1 && first.octets == octets[2..<10])
  }

  @Test func everyBeginningIsTruncated() throws {
    let whole = Array("d4:listli1ei-20e3:abce4:namede6:string10:0123456789e".utf8)
    _ = try Bencode.decode(whole[...])
    for end in 0..<whole.count { #expect(throws: BencodeError.truncated) { try Bencode.decode(whole[..<end]) } }
  }

  @Test func whatIsWrittenIsRead() throws {
    var writer = BencodeWriter()
    writer.dictionary { whole in
      whole.member("a", -7)
      whole.member("b") { list in
        list.list { items in
          items.integer(UInt32.max)
          items.string("x")
          items.dictionary { $0.member("y", [0, 255]) }
        }
      }
      whole.member("c") { $0.verbatim(Array("i5e".utf8)) }
      whole.member("d", "é")
    }
    #expect(
      String(decoding: writer.octets, as: UTF8.self).hasPrefix("d1:ai-7e1:bli4294967295e1:xd1:y2:")
        && writer.octets.suffix(16) == Array("eee1:ci5e1:d2:".utf8.dropFirst()) + Array("éee".utf8).dropLast())
    let read = try Bencode.decode(writer.octets[...])
    #expect(read.isSorted && read["a"]?.integer == -7 && read["b"]?.list?[2]["y"]?.string == [0, 255])
  }
}
