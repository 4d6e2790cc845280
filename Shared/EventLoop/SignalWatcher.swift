import CLinux
import Glibc

/// Turns signals into calls on a loop.
public final class SignalWatcher: Selectable, @unchecked Sendable {
  private let descriptor: Int32
  private let received: @Sendable (Int32) -> Void

  /// Holds these signals back from every thread that is made later: call it first thing in `main`.
  public static func block(_ signals: [Int32]) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for signal in signals { unsafe sigaddset(&set, signal) }
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Calls `received` on the loop with the number of each signal, for as long as the process lives.
  public init(_ signals: [Int32], on loop: EventLoop, received: @escaping @Sendable (Int32) -> Void) throws(IOError) {
    descriptor = try checked("signalfd") { unsafe clinux_signalfd(signals, Int32(signals.count)) }
    self.received = received
    loop.onLoop { [self] in try? loop.register(descriptor, .read, self) }
  }

  deinit { close(descriptor) }

  public func ready(_ readiness: Readiness) {
    while case let signal = clinux_signalfd_read(descriptor), signal > 0 { received(signal) }
  }
}

/// Calls on a loop when a descriptor that the process already has can be read: a pipe from a parent, another library's socket.
public final class DescriptorWatcher: Selectable, @unchecked Sendable {
  private let descriptor: Int32
  private let loop: EventLoop
  private let action: @Sendable (Readiness) -> Void

  /// On the loop. The descriptor stays the caller's.
  public init(
    _ descriptor: Int32, _ interest: Readiness, on loop: EventLoop, action: @escaping @Sendable (Readiness) -> Void
  ) throws(IOError) {
    self.descriptor = descriptor
    self.loop = loop
    self.action = action
    try loop.register(descriptor, interest, self)
  }

  public func ready(_ readiness: Readiness) { action(readiness) }

  /// On the loop.
  public func change(_ interest: Readiness) { loop.modify(descriptor, interest) }

  /// On the loop; before the descriptor is closed.
  public func cancel() { loop.deregister(descriptor) }
}
