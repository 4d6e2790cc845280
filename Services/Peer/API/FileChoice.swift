import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// Which files of a torrent shall come, as it is said when the torrent is added: these alone, or all but these. Of a magnet link's
/// torrent nobody knows yet which files it has.
struct FileChoice: Sendable {
  private let only: [Int]?
  private let without: [Int]?

  /// - Throws: 422 where both are said, or where something is no number of a file.
  init(only: [Int]?, without: [Int]?) throws(Problem) {
    guard only == nil || without == nil else {
      throw .invalid(field: "unwanted_files", "can't be said beside wanted_files")
    }
    (self.only, self.without) = (only, without)
    try requireBelow(TorrentInfo.fileLimit, "is no number of a file: 0 to \(TorrentInfo.fileLimit - 1) are")
  }

  /// From the query of a request whose body is a .torrent file.
  init(_ request: Request) throws {
    try self.init(
      only: Self.numbers(request, "wanted_files"), without: Self.numbers(request, "unwanted_files"))
  }

  private static func numbers(_ request: Request, _ name: String) throws(Problem) -> [Int]? {
    guard let text = request.query(name) else { return nil }
    var numbers: [Int] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: !text.contains(",")) {
      guard let number = Array(part.utf8).parsedDecimal(as: Int.self) else {
        throw Problem(400, "\(name) is numbers of files with commas between them.", field: name)
      }
      numbers.append(number)
    }
    return numbers
  }

  var isSaid: Bool { only != nil || without != nil }

  /// Says it of a torrent.
  /// - Throws: 422 where a number is none of its files.
  func apply(to record: inout TorrentRecord, _ info: TorrentInfo?) throws(Problem) {
    if let info { try requireBelow(info.files.count, "is none of the torrent's \(info.files.count) files") }
    record.chosen = only.map { Set($0) }
    record.leaveOut(without ?? [])
    if let info { record.found(info) }
  }

  private func requireBelow(_ count: Int, _ words: String) throws(Problem) {
    for (name, numbers) in [("wanted_files", only), ("unwanted_files", without)] {
      guard let place = numbers?.firstIndex(where: { !(0..<count ~= $0) }) else { continue }
      throw .invalid(field: "\(name)[\(place)]", words)
    }
  }
}
