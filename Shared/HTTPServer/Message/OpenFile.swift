import CLinux
public import EventLoop
import Glibc
public import HTTPWire

/// A file that is open for reading; it is closed when nobody needs it any more.
public final class OpenFile: Sendable {
  public let size: Int
  /// Seconds since 1970.
  public let modified: Int64
  public let entityTag: EntityTag
  private let descriptor: Int32

  /// Opens a regular file; nil if there is none. It blocks: call it in a pool.
  public convenience init?(_ path: String) {
    self.init(adopting: unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))
  }

  /// Opens a regular file below the directory `root`; nil if there is none. It blocks.
  ///
  /// The kernel itself sees to it that nothing leads out of the root: neither `..` nor a symbolic link, even one that is put
  /// there at this moment (openat2, Linux 5.6).
  public convenience init?(_ path: String, beneath root: String) {
    let directory = unsafe open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { return nil }
    defer { close(directory) }
    self.init(adopting: unsafe clinux_open_beneath(directory, path))
  }

  private init?(adopting descriptor: Int32) {
    guard descriptor >= 0 else { return nil }
    var information = stat()
    guard unsafe fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      return nil
    }
    self.descriptor = descriptor
    size = Int(information.st_size)
    modified = Int64(information.st_mtim.tv_sec)
    let stamp =
      UInt64(bitPattern: Int64(information.st_mtim.tv_sec)) &* 1_000_000_000 &+ UInt64(information.st_mtim.tv_nsec)
    entityTag = EntityTag(
      "\(String(information.st_ino, radix: 16))-\(String(size, radix: 16))-\(String(stamp, radix: 16))")
  }

  deinit { close(descriptor) }

  /// A descriptor of its own for the stream that will send it; -1 where the process has none left.
  func duplicate() -> Int32 { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }
}

extension Response {
  /// A file: whole, in part or not at all, as the request's Range and conditions say (RFC 9110 §13 and §14).
  ///
  /// - Returns: 404 where there is no regular file at `path`.
  public static func file(_ path: String, type: String, for request: Request, pool: BlockingPool) async throws
    -> Response
  {
    guard let file = try await pool.run({ OpenFile(path) }) else { throw HTTPProblem(404, "There is no such file.") }
    return Response.file(file, type: type, for: request)
  }

  /// As above, of a file below the directory `root`; what leads out of it is 404.
  public static func file(
    _ path: String, beneath root: String, type: String, for request: Request, pool: BlockingPool
  ) async throws -> Response {
    guard let file = try await pool.run({ OpenFile(path, beneath: root) }) else {
      throw HTTPProblem(404, "There is no such file.")
    }
    return Response.file(file, type: type, for: request)
  }

  /// As above, of a file that is open.
  public static func file(_ file: OpenFile, type: String, for request: Request) -> Response {
    let validators = Validators(entityTag: file.entityTag, lastModified: file.modified)
    var fields: FieldBlock = ["accept-ranges": "bytes", "etag": file.entityTag.description]
    fields.append("last-modified", String(decoding: HTTPDate.format(file.modified), as: UTF8.self))
    switch request.head.precondition(validators) {
    case .notModified: return Response(.notModified, fields: fields)
    case .failed: return .problem(.preconditionFailed, "The file is not in the state that the request expects.")
    case .proceed: break
    }
    switch request.head.range(size: file.size, validators: validators, now: Int64(time(nil))) {
    case .whole:
      fields.append("content-type", type)
      return Response(.ok, fields: fields, content: .file(file, 0..<file.size))
    case .part(let range):
      fields.append("content-type", type)
      fields.append("content-range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)")
      return Response(.partialContent, fields: fields, content: .file(file, range))
    case .unsatisfiable:
      return .problem(.rangeNotSatisfiable, "The file has \(file.size) octets.").with(
        "content-range", "bytes */\(file.size)")
    }
  }
}
