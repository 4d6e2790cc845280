import Glibc

/// What went wrong with a descriptor, a connection or the loop itself.
public enum IOError: Error, Hashable, Sendable {
  /// A system call failed: its name and errno.
  case system(call: String, errno: Int32)
  /// The deadline passed first.
  case timedOut
  /// The task that waited was cancelled.
  case cancelled
  /// The stream is over, or what would do the work has been stopped.
  case closed
  /// The egress policy forbids the address.
  case egressForbidden
  /// A bounded queue is full: the same may succeed a moment later.
  case overloaded
}

extension IOError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .system(let call, let errno): unsafe "\(call): \(String(cString: strerror(errno)))"
    case .timedOut: "timed out"
    case .cancelled: "cancelled"
    case .closed: "closed"
    case .egressForbidden: "address outside the allowed networks"
    case .overloaded: "overloaded"
    }
  }

  /// The address is taken: the mistake that a person starting a server makes most.
  public var isAddressInUse: Bool {
    if case .system(_, EADDRINUSE) = self { true } else { false }
  }

  /// This machine is out of something (descriptors, memory, ports): it says nothing about the other end.
  ///
  /// EADDRINUSE is what bind(2) says to port 0 when no port is left. EADDRNOTAVAIL isn't here: it is also what connect(2) says
  /// of IPv6 on a host that has none, where another address may well be reached.
  public var isShortage: Bool {
    switch self {
    case .overloaded: true
    case .system(_, let errno): [EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN, EADDRINUSE, ENOSPC].contains(errno)
    case .timedOut, .cancelled, .closed, .egressForbidden: false
    }
  }
}

/// Makes a system call again while a signal interrupts it: the one place that knows EINTR.
@inline(__always)
func retrying<T: SignedInteger>(_ call: () -> T) -> T {
  while true {
    let result = call()
    if result != -1 || errno != EINTR { return result }
  }
}

/// The result, or the error of the call that is named.
@inline(__always)
func checked<T: SignedInteger>(_ name: String, _ call: () -> T) throws(IOError) -> T {
  let result = retrying(call)
  guard result != -1 else { throw .system(call: name, errno: errno) }
  return result
}
