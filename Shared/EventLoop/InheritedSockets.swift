import CLinux
import Glibc
public import Octets

/// Sockets that were bound before this program began, handed down by systemd (sd_listen_fds(3)): so ports below 1024 need no
/// privilege here. A listener that is opened on the address of one of them takes it over.
public final class InheritedSockets: Sendable {
  private struct Entry {
    var descriptor: Int32
    var address: SocketAddress
    /// SOCK_STREAM or SOCK_DGRAM.
    var type: Int32
    var isUsed = false
  }

  /// Those of the process: descriptors belong to no smaller part of it.
  public static let shared = InheritedSockets()
  /// SD_LISTEN_FDS_START.
  private static let first: Int32 = 3
  private static let limit: Int32 = 64
  private let entries = Lock<[Entry]>([])

  init() {}

  /// Takes what `LISTEN_PID` and `LISTEN_FDS` say; nothing where they are meant for another process. Call it before anything
  /// else opens a descriptor.
  /// - Throws: a descriptor is no bound socket of TCP or UDP, or they are more than 64.
  public func adopt(_ environment: [String: String]) throws(IOError) {
    guard let process = environment["LISTEN_PID"].flatMap({ pid_t($0) }), process == getpid(),
      let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }), count > 0
    else { return }
    guard count <= Self.limit else {
      throw .system(call: "LISTEN_FDS=\(count), of which at most \(Self.limit) are taken", errno: E2BIG)
    }
    for descriptor in Self.first..<Self.first + count {
      do throws(IOError) {
        try adopt(descriptor)
      } catch {
        guard case .system(let call, let code) = error else { throw error }
        throw .system(call: "descriptor \(descriptor) of LISTEN_FDS: \(call)", errno: code)
      }
    }
  }

  /// Takes one bound socket; a stream socket listens from now on.
  func adopt(_ descriptor: Int32) throws(IOError) {
    let address = try boundAddress(of: descriptor)
    var type: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    _ = try checked("getsockopt") { unsafe getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) }
    _ = try checked("fcntl") { fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) }
    _ = try checked("fcntl") { fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    if type == CLINUX_SOCK_STREAM { _ = try checked("listen \(address)") { listen(descriptor, 1024) } }
    entries.withLock { $0.append(Entry(descriptor: descriptor, address: address, type: type)) }
  }

  /// A descriptor of its own of the socket with this address; nil where none was handed down.
  func duplicate(_ address: SocketAddress, type: Int32) throws(IOError) -> Int32? {
    let original = entries.withLock { entries -> Int32? in
      guard let index = entries.firstIndex(where: { $0.address == address && $0.type == type }) else { return nil }
      entries[index].isUsed = true
      return entries[index].descriptor
    }
    guard let original else { return nil }
    return try checked("dup \(address)") { fcntl(original, F_DUPFD_CLOEXEC, 0) }
  }

  /// The addresses of those that nobody took: most likely a mistake in a socket unit or a flag.
  public var unused: [SocketAddress] { entries.withLock { $0.filter { !$0.isUsed }.map(\.address) } }
}
