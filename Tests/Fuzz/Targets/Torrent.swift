import TorrentWire

/// A .torrent file, an info dictionary or a bencoded value: what is taken keeps its octets and stays within its bounds.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = unsafe octets(data, count)
  if let value = try? Bencode.decode(input[...]) {
    require(value.octets == input[...], "a value is all of its octets")
    guard let again = try? Bencode.decodeFirst(input + [0x65]) else {
      require(false, "what follows does not matter")
      return 0
    }
    require(again.octets.count == input.count, "a value ends where it ends")
  }
  if let torrent = try? Metainfo(decoding: input[...]) { check(torrent.info) }
  if let info = try? TorrentInfo(decoding: input[...]) { check(info) }
  if let text = String(validating: input, as: UTF8.self), let link = try? MagnetLink(text) {
    guard let again = try? MagnetLink("\(link)") else {
      require(false, "what is written is read")
      return 0
    }
    require(again == link, "a round trip changes nothing")
  }
  return 0
}

private func check(_ info: TorrentInfo) {
  require(
    (0..<info.pieceCount).reduce(Int64(0)) { $0 + Int64(info.length(of: $1)) } == info.length, "pieces are all of it")
  require(info.files.reduce(Int64(0)) { $0 + $1.length } == info.length, "files are all of it")
  for file in info.files {
    for part in file.path {
      require(
        !part.isEmpty && part != "." && part != ".." && !part.utf8.contains(0x2F), "a path stays below its folder")
    }
  }
}
