import Glibc

/// The administrator's token: from `UTOPIA_ADMIN_TOKEN`, from a file, or made and kept in the data directory.
public struct AdminToken: Sendable {
  public let value: [UInt8]
  /// Where a person finds it; nil when it came from the environment.
  public let path: String?

  public enum Failure: Error, CustomStringConvertible {
    case unreadable(String)
    case tooOpen(String)
    case empty(String)

    public var description: String {
      switch self {
      case .unreadable(let path): "the admin token file \(path) can't be read or made"
      case .tooOpen(let path): "the admin token file \(path) can be read by others; chmod 600 it"
      case .empty(let path): "the admin token file \(path) is empty"
      }
    }
  }

  /// - Parameters:
  ///   - file: what `--admin-token-file` says; made if it is not there.
  ///   - directory: the data directory, where `admin-token` is used if nothing else is said.
  public static func load(file: String?, directory: String?, environment: [String: String]) throws -> AdminToken {
    if let text = environment["UTOPIA_ADMIN_TOKEN"], !text.isEmpty {
      return AdminToken(value: Array(text.utf8), path: nil)
    }
    guard let path = file ?? directory.map({ $0 + "/admin-token" }) else {
      return AdminToken(value: Array(try Secrets.token().utf8), path: nil)
    }
    // O_EXCL: of several services that start together, one makes the file and the others read it.
    let made = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if made >= 0 {
      defer { close(made) }
      let token = Array(try Secrets.token().utf8)
      let line = token + [0x0A]
      guard unsafe write(made, line, line.count) == line.count else { throw Failure.unreadable(path) }
      return AdminToken(value: token, path: path)
    }
    return try read(path)
  }

  private static func read(_ path: String) throws -> AdminToken {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure.unreadable(path) }
    defer { close(descriptor) }
    var information = stat()
    guard unsafe fstat(descriptor, &information) == 0 else { throw Failure.unreadable(path) }
    guard information.st_mode & 0o077 == 0 else { throw Failure.tooOpen(path) }
    var octets = [UInt8](repeating: 0, count: 4096)
    let count = unsafe Glibc.read(descriptor, &octets, octets.count)
    guard count >= 0 else { throw Failure.unreadable(path) }
    let token = Array(octets[..<count].drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed())
    guard !token.isEmpty else { throw Failure.empty(path) }
    return AdminToken(value: token, path: path)
  }

  public func matches(_ candidate: [UInt8]) -> Bool {
    // Digests first, so that not even the length is told by time.
    guard let one = try? Secrets.digest(value), let other = try? Secrets.digest(candidate) else { return false }
    return Secrets.areEqual(one, other)
  }
}
