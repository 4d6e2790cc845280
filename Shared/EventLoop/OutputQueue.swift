import CLinux
import Glibc

/// What a stream still has to send: octets and pieces of files, in order.
struct OutputQueue {
  enum Result {
    case done
    /// The kernel's buffer is full.
    case blocked
    /// More could leave, but others shall have their turn.
    case again
    /// The next octets are of a file and not in memory: someone who may wait for a disk has to read them first.
    case absent(OutgoingFile, offset: Int64, count: Int)
    case failed(IOError)
  }

  private enum Segment {
    case octets(ArraySlice<UInt8>)
    case file(OutgoingFile, offset: Int64, count: Int64)
  }

  /// Octets up to here are copied together; larger arrays are kept as they are.
  static let coalesced = 16_384
  private static let vectors = 32

  private(set) var count = 0
  /// Before the tail.
  private var segments: [Segment] = []
  /// Octets of the first segment, or of the tail where there is none, that have left.
  private var sent = 0
  private var tail: [UInt8] = []
  /// The first segment's file is in memory up to here.
  private var residentUntil: Int64 = 0

  /// Octets of memory held for what waits to be copied together.
  var bufferCapacity: Int { tail.capacity }

  /// Copies small writes to this buffer from now on.
  mutating func lend(_ buffer: consuming [UInt8]) { tail = buffer }

  /// The buffer again, once all has left.
  mutating func takeBack() -> [UInt8]? {
    guard count == 0, tail.capacity > 0 else { return nil }
    var buffer: [UInt8] = []
    swap(&buffer, &tail)
    return buffer
  }

  mutating func append(_ octets: [UInt8]) {
    count += octets.count
    if octets.count > Self.coalesced {
      sealTail()
      segments.append(.octets(octets[...]))
    } else {
      tail.append(contentsOf: octets)
    }
  }

  /// A part of what others hold too: it is not copied, however small.
  mutating func append(shared octets: ArraySlice<UInt8>) {
    count += octets.count
    sealTail()
    segments.append(.octets(octets))
  }

  mutating func append(_ octets: RawSpan) {
    count += octets.byteCount
    unsafe octets.withUnsafeBytes { unsafe tail.append(contentsOf: $0) }
  }

  mutating func append(file: OutgoingFile, offset: Int64, count size: Int64) {
    count += Int(size)
    sealTail()
    segments.append(.file(file, offset: offset, count: size))
  }

  private mutating func sealTail() {
    guard !tail.isEmpty else { return }
    segments.append(.octets(tail[...]))
    tail = []
  }

  /// Lets go of everything, the files that were waiting among it.
  mutating func discard() {
    segments = []
    tail = []
    sent = 0
    count = 0
  }

  mutating func write(to descriptor: Int32) -> Result {
    while count > 0 {
      guard let first = segments.first else { return writeTail(to: descriptor) }
      if case .file(let file, let offset, let size) = first {
        if offset >= residentUntil {
          let slice = Int(min(size, Int64(TCPStream.fileSlice)))
          guard file.isResident(offset, slice) else { return .absent(file, offset: offset, count: slice) }
          residentUntil = offset + Int64(slice)
        }
        var position = off_t(offset)
        let slice = Int(min(size, residentUntil - offset))
        let moved = retrying { unsafe clinux_sendfile(descriptor, file.descriptor, &position, slice) }
        if moved < 0 { return failure("sendfile") }
        // The file became shorter than was promised: the framing can't be kept, so the stream must end.
        if moved == 0 { return .failed(.system(call: "sendfile", errno: EIO)) }
        count -= moved
        if Int64(moved) == size {
          segments.removeFirst()
          residentUntil = 0
        } else {
          segments[0] = .file(file, offset: Int64(position), count: size - Int64(moved))
        }
        if moved == TCPStream.fileSlice { return .again }
      } else if let result = writeVectors(to: descriptor) {
        return result
      }
    }
    return .done
  }

  /// The first file was read into memory up to this offset.
  mutating func fetched(until offset: Int64) { residentUntil = offset }

  private mutating func writeTail(to descriptor: Int32) -> Result {
    let moved = unsafe tail.withUnsafeBytes { raw in
      retrying {
        unsafe send(descriptor, raw.baseAddress.map { unsafe $0 + sent }, raw.count - sent, CLINUX_MSG_NOSIGNAL)
      }
    }
    if moved < 0 { return failure("send") }
    count -= moved
    sent += moved
    guard sent == tail.count else {
      // To a reader that never catches up, what has left would pile up before what waits.
      if sent >= Self.coalesced, sent * 2 >= tail.count {
        tail.removeFirst(sent)
        sent = 0
      }
      return .blocked
    }
    sent = 0
    tail.removeAll(keepingCapacity: true)
    return .done
  }

  /// Gathers octet segments, and the tail if no file stands before it. Nil when all that was gathered has left.
  private mutating func writeVectors(to descriptor: Int32) -> Result? {
    var arrays: [ArraySlice<UInt8>] = []
    for segment in segments.prefix(Self.vectors) {
      guard case .octets(let octets) = segment else { break }
      arrays.append(octets)
    }
    let withTail = arrays.count == segments.count && !tail.isEmpty
    if withTail { arrays.append(tail[...]) }
    var moved = unsafe gather(arrays[...], []) { vectors in
      unsafe vectors[0].iov_base += sent
      unsafe vectors[0].iov_len -= sent
      var header = unsafe msghdr()
      return unsafe vectors.withUnsafeMutableBufferPointer { buffer in
        unsafe header.msg_iov = buffer.baseAddress
        unsafe header.msg_iovlen = buffer.count
        return retrying { unsafe sendmsg(descriptor, &header, CLINUX_MSG_NOSIGNAL) }
      }
    }
    if moved < 0 { return failure("sendmsg") }
    let wanted = arrays.reduce(0) { $0 + $1.count } - sent
    let isComplete = moved == wanted
    count -= moved
    moved += sent
    sent = 0
    while let first = segments.first, case .octets(let octets) = first {
      if moved < octets.count {
        sent = moved
        return isComplete ? nil : .blocked
      }
      moved -= octets.count
      segments.removeFirst()
    }
    if withTail {
      if moved == tail.count { tail = [] } else { sent = moved }
    }
    return isComplete ? nil : .blocked
  }

  /// Calls `body` while every array's storage is pinned.
  private func gather(
    _ arrays: ArraySlice<ArraySlice<UInt8>>, _ vectors: [iovec], _ body: (inout [iovec]) -> Int
  ) -> Int {
    var vectors = unsafe vectors
    guard let first = arrays.first else { return unsafe body(&vectors) }
    return unsafe first.withUnsafeBytes { raw in
      unsafe vectors.append(
        iovec(iov_base: UnsafeMutableRawPointer(mutating: raw.baseAddress), iov_len: raw.count))
      return unsafe gather(arrays.dropFirst(), vectors, body)
    }
  }

  private func failure(_ call: String) -> Result {
    errno == EAGAIN || errno == EWOULDBLOCK ? .blocked : .failed(.system(call: call, errno: errno))
  }
}
