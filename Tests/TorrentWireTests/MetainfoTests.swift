import Octets
import Testing

@testable import TorrentWire

@Suite struct MetainfoTests {
  static func info(_ members: String) -> String { "d\(members)e" }
  static let one = "6:lengthi5e4:name1:a12:piece lengthi4e6:pieces40:\(String(repeating: "h", count: 40))"

  @Test func aFileOfOneFileIsRead() throws {
    let text =
      "d8:announce14:http://t.test/13:creation datei1700000000e4:info\(Self.info(Self.one))8:url-list14:http://w.test/e"
    let torrent = try Metainfo(decoding: Array(text.utf8)[...])
    #expect(torrent.tiers == [["http://t.test/"]] && torrent.webSeeds == ["http://w.test/"])
    #expect(torrent.createdAt == 1_700_000_000)
    let info = torrent.info
    #expect(info.name == "a" && !info.isFolder && !info.isPrivate && info.length == 5 && info.pieceCount == 2)
    #expect(info.length(of: 0) == 4 && info.length(of: 1) == 1 && info.hash(of: 1).count == 20)
    #expect(info.files == [TorrentInfo.File(path: ["a"], length: 5, offset: 0)])
    #expect(String(decoding: info.octets, as: UTF8.self) == Self.info(Self.one))
  }

  @Test func filesLieOneBehindTheOther() throws {
    let files = "5:filesld6:lengthi3e4:pathl1:x1:yeed6:lengthi0e4:pathl1:zeed6:lengthi2e4:pathl1:x1:zeee"
    let pieces = "4:name1:d12:piece lengthi4e6:pieces40:\(String(repeating: "h", count: 40))7:privatei1e"
    let info = try TorrentInfo(decoding: Array(Self.info(files + pieces).utf8)[...])
    #expect(info.isFolder && info.isPrivate && info.name == "d" && info.length == 5)
    #expect(info.files.map(\.path) == [["x", "y"], ["z"], ["x", "z"]] && info.files.map(\.offset) == [0, 3, 3])
  }

  @Test(arguments: [
    ("4:name1:a12:piece lengthi4e6:pieces0:", "info has neither length nor files"),
    ("6:lengthi5e12:piece lengthi4e6:pieces0:", "info has no name"),
    ("6:lengthi5e4:name1:a6:pieces0:", "piece length is not 1 to 67108864"),
    ("6:lengthi5e4:name1:a12:piece lengthi0e6:pieces0:", "piece length is not 1 to 67108864"),
    ("6:lengthi5e4:name1:a12:piece lengthi67108865e6:pieces0:", "piece length is not 1 to 67108864"),
    ("6:lengthi0e4:name1:a12:piece lengthi4e6:pieces0:", "there is nothing in it"),
    (
      "6:lengthi5e4:name1:a12:piece lengthi4e6:pieces20:hhhhhhhhhhhhhhhhhhhh",
      "pieces does not have 20 octets for each piece"
    ),
    (
      "6:lengthi5e4:name1:a12:piece lengthi4e6:pieces39:\(String(repeating: "h", count: 39))",
      "pieces does not have 20 octets for each piece"
    ),
    ("6:lengthi-1e4:name1:a12:piece lengthi4e6:pieces0:", "length is not 0 to 1125899906842624"),
    ("6:lengthi1125899906842625e4:name1:a12:piece lengthi4e6:pieces0:", "length is not 0 to 1125899906842624"),
    ("4:name1:a6:lengthi5e", "the keys of info are not in order"),
    ("6:lengthi5e4:name2:..12:piece lengthi4e6:pieces0:", "info's name is no name of a file"),
    ("6:lengthi5e4:name3:a/b12:piece lengthi4e6:pieces0:", "info's name is no name of a file"),
    ("6:lengthi5e4:name0:12:piece lengthi4e6:pieces0:", "info's name is no name of a file"),
    ("9:file treede12:meta versioni2e4:name1:a12:piece lengthi16384e", "it is a torrent of version 2 alone"),
    ("5:filesle4:name1:a12:piece lengthi4e6:pieces0:", "info has neither length nor files"),
    (
      "5:filesld6:lengthi3e4:pathl2:..1:yeee4:name1:a12:piece lengthi4e6:pieces0:", "the path of file 0 leads elsewhere"
    ),
    ("5:filesld6:lengthi3e4:pathl4:/etceee4:name1:a12:piece lengthi4e6:pieces0:", "the path of file 0 leads elsewhere"),
    ("5:filesld6:lengthi3e4:pathleee4:name1:a12:piece lengthi4e6:pieces0:", "file 0 has no path of 1 to 32 parts"),
    (
      "5:filesld6:lengthi3e4:pathl1:xeed6:lengthi3e4:pathl1:xeee4:name1:a12:piece lengthi4e6:pieces0:",
      "two files are called x"
    ),
    (
      "5:filesld6:lengthi3e4:pathl1:xeed6:lengthi3e4:pathl1:x1:yeee4:name1:a12:piece lengthi4e6:pieces0:",
      "x is a file and a folder"
    ),
    (
      "5:filesld6:lengthi1125899906842624e4:pathl1:xeed6:lengthi1e4:pathl1:yeee4:name1:a12:piece lengthi4e6:pieces0:",
      "the length of file 1 is not 0 to 1125899906842624, with those before it"
    ),
  ])
  func whatCanNotBeUsedIsSaid(members: String, reason: String) {
    #expect(throws: TorrentError(reason)) { try TorrentInfo(decoding: Array(Self.info(members).utf8)[...]) }
  }

  @Test(arguments: [
    ("", "it ends within a value"), ("x", "no value begins at octet 0"),
    (String(repeating: "l", count: 99), "it has more than 32 lists or dictionaries in each other"),
    ("d1:ai1e1:ai2ee", "the key at octet 9 is no string, or there twice"),
    ("de ", "something follows its end at octet 2"),
  ])
  func whatIsNotBencodedIsSaidInWords(text: String, words: String) {
    #expect(throws: TorrentError("the file is not bencoded: \(words)")) {
      try Metainfo(decoding: Array(text.utf8)[...])
    }
  }

  @Test func announceListMakesAnnounceMeanNothing() throws {
    let text = "d8:announce1:x13:announce-listll1:a1:bel1:cel0:ee4:info\(Self.info(Self.one))e"
    #expect(try Metainfo(decoding: Array(text.utf8)[...]).tiers == [["a", "b"], ["c"]])
    let empty = "d8:announce1:x13:announce-listle4:info\(Self.info(Self.one))e"
    #expect(try Metainfo(decoding: Array(empty.utf8)[...]).tiers == [["x"]])
    let many = String(repeating: "l1:ae", count: 200)
    let flood = "d13:announce-listl\(many)e4:info\(Self.info(Self.one))e"
    #expect(try Metainfo(decoding: Array(flood.utf8)[...]).tiers.count == Metainfo.urlLimit)
  }

  @Test(arguments: [true, false]) func whatIsMadeIsRead(isFolder: Bool) throws {
    let files: [(path: [String], length: Int64)] = isFolder ? [(["a", "b"], 20_000), (["ü"], 1)] : [([], 20_001)]
    var builder = MetainfoBuilder(
      name: "n", files: files, pieceLength: 16_384, hashes: Array(repeating: 7, count: 40))
    builder.tiers = [["http://a/"], ["udp://b:1"]]
    builder.webSeeds = ["http://w/"]
    builder.isPrivate = true
    builder.createdBy = "x"
    builder.createdAt = 5
    let torrent = try Metainfo(decoding: builder.encoded()[...])
    #expect(torrent.tiers == builder.tiers && torrent.webSeeds == builder.webSeeds && torrent.createdBy == "x")
    #expect(torrent.info.isFolder == isFolder && torrent.info.isPrivate && torrent.info.length == 20_001)
    #expect(Array(torrent.info.octets) == builder.info && torrent.info.files.count == files.count)
  }
}

@Suite struct MagnetLinkTests {
  static let hex = "0123456789abcdef0123456789abcdef01234567"

  @Test func aLinkIsRead() throws {
    let link = try MagnetLink(
      "magnet:?xt=urn:btih:\(Self.hex.uppercased())&dn=a+b%26&tr=http%3A%2F%2Ft%2Fannounce&tr.1=udp://u:1&ws=http://w/&x.pe=127.0.0.1:6881&so=0&x"
    )
    #expect(link.infoHash == InfoHash(hex: Self.hex) && link.name == "a b&")
    #expect(link.trackers == ["http://t/announce", "udp://u:1"] && link.webSeeds == ["http://w/"])
    #expect(link.peers == ["127.0.0.1:6881"])
    #expect(try MagnetLink("\(link)") == link)
  }

  /// The base 32 of the same octets.
  @Test func olderLinksHaveBase32() throws {
    let link = try MagnetLink("MAGNET:?dn=x&xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH")
    #expect(link.infoHash == InfoHash(hex: Self.hex))
  }

  @Test(arguments: [
    "", "http://x/", "magnet:", "magnet:?", "magnet:?dn=x", "magnet:?xt=urn:btih:", "magnet:?xt=urn:btih:\(hex)0",
    "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef0123456g",
    "magnet:?xt=urn:sha1:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH",
    "magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGR10", "magnet:?xt=urn:btmh:1220\(hex)",
  ])
  func whatNamesNoTorrentIsRefused(text: String) {
    #expect(throws: TorrentError.self) { try MagnetLink(text) }
  }
}
