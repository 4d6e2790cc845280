import CLinux
import Glibc
public import Octets

/// One end of a TCP connection, as bytes with back-pressure. It belongs to the actor that is told of its events.
///
/// This is the seam for TLS: owners see plain bytes, and don't know how a file's get to the peer.
/// Writes are held back until the end of the loop's turn and leave together.
public final class TCPStream: @unchecked Sendable {
  enum Phase { case open, lingering, closed }

  /// Above this many octets not yet taken by the kernel, `isCongested` asks the owner to stop producing.
  public static let highWater = 262_144
  /// How long a stream that is closed gracefully waits for the peer to finish too, once everything has left.
  static let lingerTime = Duration.seconds(2)
  /// How long before that the peer may take nothing of what is left.
  static let stallTime = Duration.seconds(60)
  /// A `sendfile` call is bounded so that one download can't hold the loop.
  static let fileSlice = 524_288

  public let peer: SocketAddress
  public let local: SocketAddress
  let loop: EventLoop
  let descriptor: Int32
  private(set) var phase = Phase.open
  private(set) var output = OutputQueue()
  private var interest: Readiness = .read
  private var isFlushScheduled = false
  private var wantsReading = true
  private var finishing = false
  private var finished = false
  private var lingerTimer: TimerID?
  /// Octets of a file are on their way from the disk, and nothing leaves before them.
  private var isFetching = false
  /// Taken out of epoll because of a hang-up that the owner is not ready to hear.
  private var isSuspended = false
  private(set) var hasPeerFinished = false
  private(set) var owesDrained = false
  private(set) var failure: IOError?
  private weak var owner: (any StreamOwner)?

  /// Takes over a connected, non-blocking descriptor.
  public init(_ socket: ConnectedSocket, on loop: EventLoop) {
    self.loop = loop
    descriptor = socket.descriptor
    peer = socket.peer
    local = socket.local
  }

  deinit {
    output.discard()
    if phase != .closed { Glibc.close(descriptor) }
  }

  // MARK: Output

  /// Octets accepted and not yet taken by the kernel.
  public var pendingOctets: Int { output.count }
  public var isCongested: Bool { output.count > Self.highWater }
  public var isOpen: Bool { phase == .open }

  public func write(_ octets: [UInt8]) {
    guard phase == .open, !finishing, !octets.isEmpty else { return }
    if output.bufferCapacity == 0 { output.lend(loop.takeBuffer()) }
    output.append(octets)
    scheduleFlush()
  }

  public func write(_ octets: RawSpan) {
    guard phase == .open, !finishing, octets.byteCount > 0 else { return }
    if output.bufferCapacity == 0 { output.lend(loop.takeBuffer()) }
    output.append(octets)
    scheduleFlush()
  }

  /// A part of an array that others hold too: it is not copied, so it is worth it for thousands of octets.
  public func write(shared octets: ArraySlice<UInt8>) {
    guard phase == .open, !finishing, !octets.isEmpty else { return }
    output.append(shared: octets)
    scheduleFlush()
  }

  public func write(_ text: StaticString) {
    unsafe write(RawSpan(_unsafeStart: text.utf8Start, byteCount: text.utf8CodeUnitCount))
  }

  /// Sends octets of a file without copying them through this process, and without making the loop wait for a disk. The stream
  /// owns the descriptor from here on and closes it.
  public func sendFile(_ file: Int32, offset: Int64, count: Int64) {
    let file = OutgoingFile(file)
    guard phase == .open, !finishing, count > 0 else { return }
    output.append(file: file, offset: offset, count: count)
    scheduleFlush()
  }

  /// The owner hears `drained()` when everything written so far has been handed to the kernel.
  public func tellWhenDrained() {
    guard phase == .open else { return }
    owesDrained = true
    scheduleFlush()
  }

  /// No more will be written: the direction is closed once everything has left.
  public func finish() {
    guard phase == .open, !finishing else { return }
    finishing = true
    scheduleFlush()
  }

  /// Ends the connection so that the peer can still read what was written: what it sends meanwhile is thrown away, and the
  /// descriptor closes when it has finished too, or two seconds after the last octet (RFC 9112 §9.6). The owner hears
  /// `ended(nil)` then.
  public func closeGracefully() {
    guard phase == .open else { return }
    finish()
    phase = .lingering
    wantsReading = true
    updateInterest()
    watchStall(output.count)
    if hasPeerFinished { scheduleFlush() }
  }

  /// Ends the connection now; what has not left is lost. The owner hears nothing more.
  public func close() {
    guard phase != .closed else { return }
    phase = .closed
    if let lingerTimer { loop.cancel(lingerTimer) }
    output.discard()
    loop.deregister(descriptor, isClosing: true)
    Glibc.close(descriptor)
    owner = nil
  }

  /// As `close`, but the peer sees a reset instead of an orderly end.
  public func abort() {
    guard phase != .closed else { return }
    var option = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  // MARK: Input

  /// Stops reading, so that the kernel's window closes and the peer waits.
  public func pauseReading() {
    wantsReading = false
    updateInterest()
  }

  public func resumeReading() {
    wantsReading = true
    updateInterest()
  }

  // MARK: Driven by the loop

  func register(_ owner: any StreamOwner) throws(IOError) {
    self.owner = owner
    try loop.register(descriptor, interest, owner)
  }

  /// One read into the loop's buffer; nil when there was nothing, an empty result at the end of the stream.
  func read() -> Int? {
    let count = retrying { unsafe recv(descriptor, loop.readBuffer.baseAddress, loop.readBuffer.count, 0) }
    if count > 0 { return count }
    if count == 0 {
      hasPeerFinished = true
      updateInterest()
      return 0
    }
    if errno != EAGAIN && errno != EWOULDBLOCK { failure = .system(call: "recv", errno: errno) }
    return nil
  }

  var isReading: Bool { wantsReading && !hasPeerFinished && phase != .closed }

  private func scheduleFlush() {
    guard !isFlushScheduled else { return }
    isFlushScheduled = true
    if !interest.contains(.write) { loop.flushLater(self) }
  }

  func flushAtEndOfTurn() {
    isFlushScheduled = false
    guard phase != .closed else { return }
    if !flush() { end(failure) }
  }

  /// Writes what the kernel takes. False when the stream is over.
  func flush() -> Bool {
    if isFetching { return true }
    if output.count > 0 {
      if isCongested { owesDrained = true }
      switch output.write(to: descriptor) {
      case .done: break
      case .blocked:
        if isCongested { owesDrained = true }
        interest.insert(.write)
        loop.modify(descriptor, interest)
        isFlushScheduled = true
        return true
      case .again:
        scheduleFlush()
        return true
      case .absent(let file, let offset, let count):
        fetch(file, offset, count)
        return true
      case .failed(let error):
        failure = error
        return false
      }
    }
    isFlushScheduled = false
    if let buffer = output.takeBack() { loop.giveBack(buffer) }
    stopWaitingToWrite()
    if finishing, !finished {
      finished = true
      shutdown(descriptor, Int32(SHUT_WR))
      if phase == .lingering { lingerAtMost(Self.lingerTime) { $0.end(nil) } }
    }
    if phase == .lingering, finished, hasPeerFinished { return false }
    if owesDrained {
      owesDrained = false
      owner?.streamDrained()
    }
    return true
  }

  private func stopWaitingToWrite() {
    guard interest.contains(.write) else { return }
    interest.remove(.write)
    loop.modify(descriptor, interest)
  }

  /// Has a piece of a file read into memory by a thread that may wait for the disk, and goes on then.
  private func fetch(_ file: OutgoingFile, _ offset: Int64, _ count: Int) {
    isFetching = true
    isFlushScheduled = true
    stopWaitingToWrite()
    let loop = loop
    let isAccepted = OutgoingFile.readers.submit { [weak self] in
      file.fetch(offset, count)
      loop.submit { [weak self] in self?.fetched(until: offset + Int64(count)) }
    }
    // The readers have more to do than they can: a pause is better than a loop that waits for the disk itself.
    if !isAccepted { loop.after(.milliseconds(50)) { [weak self] in self?.fetched(until: offset) } }
  }

  private func fetched(until offset: Int64) {
    isFetching = false
    isFlushScheduled = false
    guard phase != .closed else { return }
    output.fetched(until: offset)
    scheduleFlush()
  }

  /// Both directions are over. What came before is still to be read: while the owner does not, the descriptor leaves epoll, which
  /// would report the hang-up without end.
  func hungUp() {
    if let error = pendingError { return end(error) }
    guard !hasPeerFinished, !wantsReading else { return end(nil) }
    isSuspended = true
    loop.deregister(descriptor)
  }

  /// Gives the peer time for as long as it takes some of what is left.
  private func watchStall(_ left: Int) {
    lingerAtMost(Self.stallTime) { stream in
      if stream.output.count < left { stream.watchStall(stream.output.count) } else { stream.end(nil) }
    }
  }

  private func lingerAtMost(_ time: Duration, _ action: @escaping @Sendable (TCPStream) -> Void) {
    if let lingerTimer { loop.cancel(lingerTimer) }
    lingerTimer = loop.after(time) { [weak self] in
      if let self { action(self) }
    }
  }

  /// Closes and tells the owner, once.
  func end(_ error: IOError?) {
    guard phase != .closed else { return }
    let owner = owner
    close()
    owner?.streamEnded(error)
  }

  private func updateInterest() {
    guard phase != .closed else { return }
    if isSuspended {
      guard isReading, let owner else { return }
      isSuspended = false
      interest = .read
      do throws(IOError) {
        try loop.register(descriptor, interest, owner)
      } catch {
        end(error)
      }
      return
    }
    var wanted = interest
    if isReading { wanted.insert(.read) } else { wanted.remove(.read) }
    guard wanted != interest else { return }
    interest = wanted
    loop.modify(descriptor, interest)
  }
}

/// A descriptor with a connection on it, on its way to the actor that will own the stream.
public struct ConnectedSocket: Sendable {
  let descriptor: Int32
  public let peer: SocketAddress
  public let local: SocketAddress

  /// Gives the connection up without a word.
  public func close() { Glibc.close(descriptor) }
}

extension TCPStream {
  /// The socket's own error, taken from the kernel.
  var pendingError: IOError? {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
    return code == 0 ? nil : .system(call: "socket", errno: code)
  }
}
