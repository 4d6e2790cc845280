import CLinux
import Glibc
public import Octets

/// Datagrams that came together, and the answers that leave together: one system call each way.
///
/// The buffers belong to the loop and are used anew for the next batch, so nothing here outlives the call it is given in.
@safe public final class DatagramBatch {
  /// Datagrams a system call.
  static let capacity = 32
  /// Of larger ones nothing is seen.
  static let inputSize = 4096
  static let outputSize = 4096
  private static let controlSize = 64

  /// How many have come.
  public private(set) var count = 0
  private var replies = 0
  /// Headers from here on are as they were set: the kernel writes only to those of datagrams that came.
  private var stale = DatagramBatch.capacity
  private var wasTellingTarget = false
  private let input: UnsafeMutableRawBufferPointer
  private let output: UnsafeMutableRawBufferPointer
  private let control: UnsafeMutableRawBufferPointer
  private let names: UnsafeMutablePointer<sockaddr_storage>
  private let inputVectors: UnsafeMutablePointer<iovec>
  private let outputVectors: UnsafeMutablePointer<iovec>
  private let received: UnsafeMutablePointer<clinux_message>
  private let answers: UnsafeMutablePointer<clinux_message>

  init() {
    unsafe input = .allocate(byteCount: Self.capacity * Self.inputSize, alignment: 16)
    unsafe output = .allocate(byteCount: Self.capacity * Self.outputSize, alignment: 16)
    unsafe control = .allocate(byteCount: Self.capacity * Self.controlSize, alignment: 16)
    unsafe names = .allocate(capacity: Self.capacity)
    unsafe inputVectors = .allocate(capacity: Self.capacity)
    unsafe outputVectors = .allocate(capacity: Self.capacity)
    unsafe received = .allocate(capacity: Self.capacity)
    unsafe answers = .allocate(capacity: Self.capacity)
    for index in 0..<Self.capacity {
      unsafe inputVectors[index] = iovec(
        iov_base: input.baseAddress.map { unsafe $0 + index * Self.inputSize }, iov_len: Self.inputSize)
      unsafe outputVectors[index] = iovec(
        iov_base: output.baseAddress.map { unsafe $0 + index * Self.outputSize }, iov_len: 0)
    }
  }

  deinit {
    unsafe input.deallocate()
    unsafe output.deallocate()
    unsafe control.deallocate()
    unsafe names.deallocate()
    unsafe inputVectors.deallocate()
    unsafe outputVectors.deallocate()
    unsafe received.deallocate()
    unsafe answers.deallocate()
  }

  /// Lends the octets of a datagram to `body`; empty when it was longer than the buffer.
  public func withOctets<Result, Failure: Error>(
    _ index: Int, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(index < count)
    let message = unsafe received + index
    let length = unsafe clinux_message_truncated(message) != 0 ? 0 : Int(clinux_message_length(message))
    let start = unsafe input.baseAddress.unsafelyUnwrapped + index * Self.inputSize
    return try unsafe body(RawSpan(_unsafeStart: start, byteCount: min(length, Self.inputSize)))
  }

  /// Who sent a datagram.
  public func source(_ index: Int) -> SocketAddress {
    precondition(index < count)
    return unsafe SocketAddress(names[index]) ?? SocketAddress(ip: .anyV4, port: 0)
  }

  /// Who sent a datagram and where to, for an answer later than the batch.
  public func origin(_ index: Int) -> DatagramOrigin {
    let length = unsafe clinux_message_control_length(received + index)
    let start = unsafe control.baseAddress.unsafelyUnwrapped + index * Self.controlSize
    return DatagramOrigin(
      source: source(index), control: unsafe Array(UnsafeRawBufferPointer(start: start, count: length)))
  }

  /// Answers a datagram, from the address it was sent to. Longer than 4096 octets is not sent.
  public func reply(_ index: Int, _ octets: RawSpan) {
    precondition(index < count && replies < Self.capacity)
    guard octets.byteCount <= Self.outputSize else { return }
    let target = unsafe UnsafeMutableRawBufferPointer(
      start: output.baseAddress.unsafelyUnwrapped + replies * Self.outputSize, count: Self.outputSize)
    unsafe octets.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
    unsafe outputVectors[replies].iov_len = octets.byteCount
    let request = unsafe received + index
    let controlLength = unsafe clinux_message_control_length(request)
    unsafe clinux_message_set(
      answers + replies, outputVectors + replies, names + index, clinux_message_name_length(request),
      controlLength == 0 ? nil : control.baseAddress.unsafelyUnwrapped + index * Self.controlSize, controlLength)
    replies += 1
  }

  /// Fetches up to a batch; `tellsTarget` asks for the address that each was sent to, so that a wildcard answers from the right one.
  ///
  /// - Throws: what the kernel says instead, such as that nobody listens where a connected socket sent to.
  func receive(_ descriptor: Int32, tellsTarget: Bool) throws(IOError) -> Int {
    replies = 0
    count = 0
    for index in 0..<(tellsTarget == wasTellingTarget ? stale : Self.capacity) {
      unsafe clinux_message_set(
        received + index, inputVectors + index, names + index, socklen_t(MemoryLayout<sockaddr_storage>.size),
        tellsTarget ? control.baseAddress.unsafelyUnwrapped + index * Self.controlSize : nil,
        tellsTarget ? Self.controlSize : 0)
    }
    wasTellingTarget = tellsTarget
    stale = Self.capacity
    let result = retrying { unsafe clinux_recvmmsg(descriptor, received, UInt32(Self.capacity)) }
    guard result >= 0 else {
      if errno == EAGAIN || errno == EWOULDBLOCK { return 0 }
      throw .system(call: "recvmmsg", errno: errno)
    }
    count = Int(result)
    stale = min(count + 1, Self.capacity)
    if tellsTarget {
      for index in 0..<count { unsafe clinux_message_any_interface(received + index) }
    }
    return count
  }

  /// Sends the answers. What the kernel doesn't take now is lost, as datagrams may be.
  func sendReplies(_ descriptor: Int32) {
    var first = 0
    while first < replies {
      let sent = retrying { unsafe clinux_sendmmsg(descriptor, answers + first, UInt32(replies - first)) }
      if sent > 0 {
        first += Int(sent)
      } else if errno == EAGAIN || errno == EWOULDBLOCK {
        return
      } else {
        // One that can't be sent (no route, refused earlier) doesn't hold the others up.
        first += 1
      }
    }
  }
}

/// Who sent a datagram, and which of our addresses it was sent to: an answer comes from there, or the client doesn't know it.
public struct DatagramOrigin: Sendable {
  public let source: SocketAddress
  /// The kernel's control message with the address it was sent to; empty where the socket has only one.
  let control: [UInt8]
}
