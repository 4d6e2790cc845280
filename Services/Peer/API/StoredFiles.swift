import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// `/v1/files`: what lies in the download folder itself, put there or downloaded.
extension PeerAPI {
  func listStoredFiles(_ request: Request) async throws -> Response {
    let limit = try request.limit()
    let cursor = try request.query("cursor").map { name throws(Problem) in
      guard !name.isEmpty else {
        throw Problem(400, "cursor is the next of the page before.", field: "cursor")
      }
      return name
    }
    let files = try await stored { try StoredFile.list(in: $0, after: cursor, limit: limit + 1) }
    let owners = await torrents.owners
    return try .encode(
      Page(files, limit: limit, cursor: { $0.name }, view: { StoredFileView($0, owners[$0.name]) }))
  }

  func getStoredFile(_ request: Request) async throws -> Response {
    let name = request.parameter("name")
    guard let file = try await stored({ try StoredFile(name, in: $0) }) else { throw Problem.notFound("file \(name)") }
    return try .encode(StoredFileView(file, await torrents.owners[name]))
  }

  func deleteStoredFile(_ request: Request) async throws -> Response {
    let name = request.parameter("name")
    guard try await stored({ try StoredFile(name, in: $0) }) != nil else { throw Problem.notFound("file \(name)") }
    do { try await torrents.beginDeleting(name) } catch { throw Problem(409, "\(error)") }
    let isGone: Bool
    do {
      isGone = try await stored { try StoredFile.remove(name, in: $0) }
    } catch {
      await torrents.deleted(name)
      throw error
    }
    await torrents.deleted(name)
    guard isGone else { throw Problem.notFound("file \(name)") }
    return .empty()
  }

  private func stored<Value: Sendable>(_ body: @escaping @Sendable (String) throws -> Value) async throws -> Value {
    do {
      return try await around.disk.run { [around] in try body(around.folder) }
    } catch let error as DiskError {
      throw Problem(error)
    }
  }

  /// Puts a file into the download folder, so that a torrent can be made of it.
  func putFile(_ request: Request) async throws -> Response {
    let name = request.parameter("name")
    let isTaken = Problem(409, "There is a file or folder called \(name) already.")
    let upload = try await around.disk.run { [around] in
      guard let upload = try FileUpload(name, in: around.folder) else {
        throw Problem.invalid(
          field: "name", "is 1 to 255 octets, without a slash or a control character, and not . or ..")
      }
      return upload
    }
    do {
      // Not only at the end: what is in vain need not be sent.
      if try await around.disk.run({ try upload.isTaken() }) { throw isTaken }
      for try await portion in request.body {
        guard upload.length + Int64(portion.count) <= PeerLimits.file else {
          throw Problem(413, "The file is larger than is taken here.")
        }
        try await around.disk.run { try upload.append(portion) }
      }
      guard try await around.disk.run({ try upload.finish() }) else {
        throw isTaken
      }
    } catch {
      _ = around.disk.submit { upload.abandon() }
      throw error
    }
    return try .encode(StoredFileView(StoredFile(name: name, length: upload.length), nil), status: .created)
      .with("location", "/v1/files/\(PercentEncoding.encode(name))")
  }
}

private struct StoredFileView: Encodable {
  var path: String
  var length: Int64
  /// The torrent that has it.
  var infoHash: String?

  init(_ file: StoredFile, _ owner: InfoHash?) {
    (path, length) = (file.name, file.length)
    infoHash = owner.map { "\($0)" }
  }
}
