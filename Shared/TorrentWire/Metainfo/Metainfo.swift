/// A .torrent file (BEP 3): the info dictionary, and where peers and octets are to be had.
public struct Metainfo: Sendable {
  public let info: TorrentInfo
  /// Trackers by tiers: those of a tier are alike, the next tier is for when none of them answers (BEP 12).
  public let tiers: [[String]]
  /// Web servers that have the files (BEP 19).
  public let webSeeds: [String]
  public let comment: String?
  public let createdBy: String?
  /// Seconds since 1970.
  public let createdAt: Int64?

  /// Trackers and web servers, at most; more are left out.
  public static let urlLimit = 100
  /// Octets of a URL, at most; longer ones are left out.
  static let urlLength = 2000

  public init(decoding octets: ArraySlice<UInt8>) throws(TorrentError) {
    let whole: Bencode
    do throws(BencodeError) {
      whole = try Bencode.decode(octets)
    } catch {
      throw TorrentError("the file is not bencoded: \(error)")
    }
    guard let info = whole["info"] else { throw TorrentError("there is no info dictionary") }
    self.info = try TorrentInfo(info)
    tiers = Metainfo.tiers(whole)
    let seeds = whole["url-list"]
    webSeeds = Metainfo.urls(seeds?.list ?? (seeds.map { [$0] } ?? []))
    comment = whole["comment"]?.text
    createdBy = whole["created by"]?.text
    createdAt = whole["creation date"]?.integer
  }

  /// announce-list, where there is one, makes announce mean nothing (BEP 12).
  private static func tiers(_ whole: Bencode) -> [[String]] {
    var tiers: [[String]] = []
    var left = urlLimit
    for tier in whole["announce-list"]?.list ?? [] {
      let urls = Array(urls(tier.list ?? []).prefix(left))
      left -= urls.count
      if !urls.isEmpty { tiers.append(urls) }
    }
    if tiers.isEmpty, let announce = whole["announce"] { tiers = [urls([announce])].filter { !$0.isEmpty } }
    return tiers
  }

  private static func urls(_ items: [Bencode]) -> [String] {
    items.lazy.compactMap(\.text).filter { (1...urlLength).contains($0.utf8.count) }.prefix(urlLimit).map { $0 }
  }
}

/// What a new .torrent file shall say.
public struct MetainfoBuilder: Sendable {
  public var name: String
  /// Paths below the name, and lengths; one file with an empty path is the torrent itself.
  public var files: [(path: [String], length: Int64)]
  public var pieceLength: Int
  /// The SHA-1 of each piece, one behind the other.
  public var hashes: [UInt8]
  public var isPrivate = false
  public var tiers: [[String]] = []
  public var webSeeds: [String] = []
  public var createdBy: String?
  /// Seconds since 1970.
  public var createdAt: Int64?

  public init(name: String, files: [(path: [String], length: Int64)], pieceLength: Int, hashes: [UInt8]) {
    self.name = name
    self.files = files
    self.pieceLength = pieceLength
    self.hashes = hashes
  }

  /// The info dictionary's octets.
  public var info: [UInt8] {
    var writer = BencodeWriter()
    writer.dictionary { info in
      let single = files.count == 1 && files[0].path.isEmpty
      if !single {
        info.member("files") { list in
          list.list { items in
            for file in files {
              items.dictionary { item in
                item.member("length", file.length)
                item.member("path") { path in path.list { for part in file.path { $0.string(part) } } }
              }
            }
          }
        }
      } else {
        info.member("length", files[0].length)
      }
      info.member("name", name)
      info.member("piece length", pieceLength)
      info.member("pieces", hashes)
      if isPrivate { info.member("private", 1) }
    }
    return writer.octets
  }

  public func encoded() -> [UInt8] {
    Metainfo.encode(info: info, tiers: tiers, webSeeds: webSeeds, createdBy: createdBy, createdAt: createdAt)
  }
}

extension Metainfo {
  /// A .torrent file around an info dictionary, which stays as it stands.
  ///
  /// - Parameter createdAt: seconds since 1970.
  public static func encode(
    info: [UInt8], tiers: [[String]], webSeeds: [String] = [], createdBy: String? = nil, createdAt: Int64? = nil
  ) -> [UInt8] {
    var writer = BencodeWriter()
    writer.dictionary { whole in
      if let first = tiers.first?.first { whole.member("announce", first) }
      if tiers.joined().count > 1 {
        whole.member("announce-list") { list in
          list.list { items in for tier in tiers { items.list { for url in tier { $0.string(url) } } } }
        }
      }
      if let createdBy { whole.member("created by", createdBy) }
      if let createdAt { whole.member("creation date", createdAt) }
      whole.member("info") { $0.verbatim(info) }
      if !webSeeds.isEmpty { whole.member("url-list") { list in list.list { for url in webSeeds { $0.string(url) } } } }
    }
    return writer.octets
  }
}
