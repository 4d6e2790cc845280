import TorrentWire

/// What lies in the download folder itself, and who has a claim to it.
extension Torrents {
  /// Claims that no torrent has, by their names.
  struct Claims {
    /// Files that are being deleted.
    var leaving: Set<String> = []
    /// How many torrents are being made of each.
    var making: [String: Int] = [:]
  }

  /// Keeps torrents away from a file until `deleted` is called: between a look at its owners and its end nobody takes it.
  /// - Throws: `Failure.hasFile`, `.isMaking` or `.isLeaving`.
  func beginDeleting(_ name: String) throws(Failure) {
    if let owner = owners[name] { throw .hasFile(owner) }
    if claims.making[name] != nil { throw .isMaking(name) }
    guard claims.leaving.insert(name).inserted else { throw .isLeaving(name) }
  }

  func deleted(_ name: String) { claims.leaving.remove(name) }

  /// Keeps what a torrent is made of from being deleted until `made` is called, once for each call.
  /// - Throws: `Failure.isLeaving`.
  func beginMaking(_ name: String) throws(Failure) {
    if claims.leaving.contains(name) { throw .isLeaving(name) }
    claims.making[name, default: 0] += 1
  }

  func made(_ name: String) {
    guard let count = claims.making[name] else { return }
    claims.making[name] = count > 1 ? count - 1 : nil
  }
}
