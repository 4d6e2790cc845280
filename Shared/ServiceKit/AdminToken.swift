import Glibc
import SQL

/// The administrator's token: from `UTOPIA_ADMIN_TOKEN`, from a file, or made and kept in the data directory.
public struct AdminToken: Sendable {
  public let value: [UInt8]
  /// Where a person finds it; nil when it came from the environment.
  public let path: String?

  public enum Failure: Error, CustomStringConvertible {
    case missing(String)
    case unreadable(String)
    case tooOpen(String)
    case empty(String)

    public var description: String {
      switch self {
      case .missing(let path):
        "there is no admin token file \(path); to make one: (umask 077; openssl rand -hex 32 > \(path))"
      case .unreadable(let path): "the admin token file \(path) can't be read or made"
      case .tooOpen(let path): "the admin token file \(path) can be read by others; chmod 600 it"
      case .empty(let path): "the admin token file \(path) is empty"
      }
    }
  }

  /// - Parameters:
  ///   - file: what `--admin-token-file` says: it must be there, or a slip of the pen would make a token that nobody knows.
  ///   - directory: the data directory, whose `admin-token` is used if nothing else is said, and made if it is not there.
  public static func load(file: String?, directory: String?, environment: [String: String]) throws -> AdminToken {
    if let text = environment["UTOPIA_ADMIN_TOKEN"], !text.isEmpty {
      return AdminToken(value: Array(text.utf8), path: nil)
    }
    if let file { return try read(file) }
    guard let directory else { return AdminToken(value: Array(try Secrets.token().utf8), path: nil) }
    return try kept(in: directory + "/admin-token")
  }

  /// The token of a file, which is made if it is not there.
  public static func kept(in path: String) throws -> AdminToken {
    if unsafe access(path, F_OK) != 0 {
      let token = Array(try Secrets.token().utf8)
      // Of several services that start together, one makes the file and the others read all of it.
      do throws(SQLError) {
        if try DurableFile.create(path, with: token + [0x0A]) { return AdminToken(value: token, path: path) }
      } catch {
        throw Failure.unreadable(path)
      }
    }
    return try read(path)
  }

  /// The token that its file holds now; one that has no file stays as it is. Blocks.
  func reloaded() throws -> AdminToken { try path.map { try Self.read($0) } ?? self }

  private static func read(_ path: String) throws -> AdminToken {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw errno == ENOENT ? Failure.missing(path) : Failure.unreadable(path) }
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
