import TorrentWire

/// Which files and pieces are to come.
extension Torrent {
  func wantedFiles(of info: TorrentInfo) -> [Bool] { info.files.indices.map { !record.unwanted.contains($0) } }

  /// The pieces in which a wanted file has a part.
  func wantedPieces(of info: TorrentInfo) -> Bitfield {
    guard !record.unwanted.isEmpty else { return Bitfield(pieceCount: info.pieceCount, isFull: true) }
    var pieces = Bitfield(pieceCount: info.pieceCount)
    for (number, file) in info.files.enumerated() where file.length > 0 && !record.unwanted.contains(number) {
      let first = Int(file.offset / Int64(info.pieceLength))
      let last = Int((file.offset + file.length - 1) / Int64(info.pieceLength))
      for piece in first...last { pieces[piece] = true }
    }
    return pieces
  }
}
