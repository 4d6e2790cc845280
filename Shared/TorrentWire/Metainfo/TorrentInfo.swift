/// What an info dictionary says (BEP 3): which pieces there are, and which files lie in them.
public struct TorrentInfo: Sendable {
  /// A file of the torrent; the files lie one behind the other, and pieces reach over their borders.
  public struct File: Sendable, Equatable {
    /// Its folders and its name, below the torrent's name; of a torrent of one file, the name alone. Each is safe as a name in a
    /// folder.
    public let path: [String]
    /// In octets.
    public let length: Int64
    /// Where it begins in the torrent.
    public let offset: Int64
  }

  /// The file's name, or the folder's that holds the files.
  public let name: String
  /// Whether there is a folder, even for one file.
  public let isFolder: Bool
  public let files: [File]
  /// Octets of each piece but the last.
  public let pieceLength: Int
  /// Octets of all files.
  public let length: Int64
  /// Peers come from the tracker alone (BEP 27).
  public let isPrivate: Bool
  /// As it stood: the info hash is the SHA-1 of these.
  public let octets: ArraySlice<UInt8>
  /// The SHA-1 of each piece, one behind the other.
  public let hashes: ArraySlice<UInt8>

  public var pieceCount: Int { hashes.count / 20 }

  /// The SHA-1 of a piece.
  public func hash(of piece: Int) -> ArraySlice<UInt8> {
    let start = hashes.startIndex + 20 * piece
    return hashes[start..<start + 20]
  }

  /// Octets of a piece: the last may be shorter.
  public func length(of piece: Int) -> Int {
    Int(min(Int64(pieceLength), length - Int64(piece) * Int64(pieceLength)))
  }
}

/// Why something is no torrent that can be used, in words.
public struct TorrentError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

extension TorrentInfo {
  /// Octets of a piece, at most.
  public static let pieceLengthLimit: Int64 = 67_108_864
  /// Octets of all files, at most: a pebibyte.
  public static let lengthLimit: Int64 = 1 << 50
  public static let fileLimit = 100_000

  /// From the octets of an info dictionary alone, as peers send them (BEP 9).
  public init(decoding octets: ArraySlice<UInt8>) throws(TorrentError) {
    let dictionary: Bencode
    do throws(BencodeError) {
      dictionary = try Bencode.decode(octets)
    } catch {
      throw TorrentError("the info dictionary is not bencoded: \(error)")
    }
    try self.init(dictionary)
  }

  init(_ info: Bencode) throws(TorrentError) {
    guard info.dictionary != nil else { throw TorrentError("info is no dictionary") }
    // Programs that write it anew would come to another hash.
    guard info.isSorted else { throw TorrentError("the keys of info are not in order") }
    guard let name = info["name"]?.string else { throw TorrentError("info has no name") }
    guard let safe = TorrentInfo.component(name) else { throw TorrentError("info's name is no name of a file") }
    guard let pieceLength = info["piece length"]?.integer, 1...TorrentInfo.pieceLengthLimit ~= pieceLength else {
      throw TorrentError("piece length is not 1 to \(TorrentInfo.pieceLengthLimit)")
    }
    guard let hashes = info["pieces"]?.string else {
      let isV2 = info["meta version"]?.integer == 2
      throw TorrentError(isV2 ? "it is a torrent of version 2 alone" : "info has no pieces")
    }
    (files, isFolder) = try TorrentInfo.files(info, safe)
    length = files.last.map { $0.offset + $0.length } ?? 0
    guard length > 0 else { throw TorrentError("there is nothing in it") }
    guard hashes.count % 20 == 0, Int64(hashes.count / 20) == (length - 1) / pieceLength + 1 else {
      throw TorrentError("pieces does not have 20 octets for each piece")
    }
    self.name = safe
    self.pieceLength = Int(pieceLength)
    self.hashes = hashes
    isPrivate = info["private"]?.integer == 1
    octets = info.octets
  }

  private static func files(_ info: Bencode, _ name: String) throws(TorrentError) -> (files: [File], isFolder: Bool) {
    if let length = info["length"]?.integer {
      guard 0...lengthLimit ~= length else { throw TorrentError("length is not 0 to \(lengthLimit)") }
      return ([File(path: [name], length: length, offset: 0)], false)
    }
    guard let list = info["files"]?.list, !list.isEmpty else { throw TorrentError("info has neither length nor files") }
    guard list.count <= fileLimit else { throw TorrentError("there are more than \(fileLimit) files") }
    var files: [File] = []
    var offset: Int64 = 0
    for (number, item) in list.enumerated() {
      guard let length = item["length"]?.integer, 0...lengthLimit - offset ~= length else {
        throw TorrentError("the length of file \(number) is not 0 to \(lengthLimit), with those before it")
      }
      guard let parts = item["path"]?.list, 1...32 ~= parts.count else {
        throw TorrentError("file \(number) has no path of 1 to 32 parts")
      }
      var path: [String] = []
      for part in parts {
        guard let text = part.string, let safe = component(text) else {
          throw TorrentError("the path of file \(number) leads elsewhere")
        }
        path.append(safe)
      }
      files.append(File(path: path, length: length, offset: offset))
      offset += length
    }
    try requireApart(files)
    return (files, true)
  }

  /// Two files can't have one place, nor can a file be another's folder.
  private static func requireApart(_ files: [File]) throws(TorrentError) {
    var names: Set<[String]> = []
    for file in files {
      guard names.insert(file.path).inserted else {
        throw TorrentError("two files are called \(file.path.joined(separator: "/"))")
      }
    }
    for file in files where file.path.count > 1 {
      for depth in 1..<file.path.count where names.contains(Array(file.path[..<depth])) {
        throw TorrentError("\(file.path[..<depth].joined(separator: "/")) is a file and a folder")
      }
    }
  }

  /// A name that stays in its folder, nil where it can't be one; what is no UTF-8 in it is replaced.
  public static func component(_ octets: ArraySlice<UInt8>) -> String? {
    let text = String(decoding: octets, as: UTF8.self)
    guard 1...255 ~= text.utf8.count, text != ".", text != "..",
      text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x2F && $0 != 0x7F })
    else { return nil }
    return text
  }
}
