import Octets

/// Finds the content in what follows a head: counted, or in chunks with trailers (RFC 9112 §6 and §7).
///
/// It copies nothing: each step tells which part of the input is content.
public struct BodyDecoder: Sendable {
  /// What a step found.
  public struct Step: Sendable, Equatable {
    /// The part of the input that is content; it may be empty.
    public let content: Range<Int>
    /// Where the next step begins; the input's end when more is needed.
    public let next: Int
  }

  /// Octets of content seen so far.
  public private(set) var received = 0
  /// Whether the content, with its trailers, has ended.
  public private(set) var isFinished: Bool

  private enum Phase: Sendable {
    case counted, size, blanks, extensions, sizeEnd, data, dataEnd, dataLineFeed, trailers, finished
  }

  private var phase: Phase
  private let limits: Limits
  /// Octets left of the content or the chunk.
  private var left = 0
  private var digits = 0
  private var lineLength = 0
  private var extensionLength = 0
  /// The trailer section as it came, and the fields found in it.
  private var trailerBytes: [UInt8] = []
  private var trailerFields: [RequestHead.Field] = []
  private var parsed = 0

  public init(_ framing: BodyFraming, limits: Limits = Limits()) {
    self.limits = limits
    isFinished = framing == .none || framing == .length(0)
    switch framing {
    case .none: phase = .finished
    case .length(let count):
      phase = count > 0 ? .counted : .finished
      left = count
    case .chunked: phase = .size
    }
  }

  /// The trailer fields, once finished. They are kept apart from the header fields (RFC 9110 §6.5.1).
  public var trailers: [(name: String, value: String)] {
    trailerFields.map {
      (
        String(decoding: trailerBytes[$0.name.range], as: UTF8.self),
        String(decoding: trailerBytes[$0.value.range], as: UTF8.self)
      )
    }
  }

  /// Reads on from `start` until a run of content, the end of the input or the end of the body.
  public mutating func advance(_ input: RawSpan, from start: Int) throws(RequestError) -> Step {
    var index = start
    while index < input.byteCount {
      switch phase {
      case .counted, .data:
        let count = min(left, input.byteCount &- index)
        left &-= count
        received &+= count
        if left == 0 { phase = phase == .counted ? .finished : .dataEnd }
        isFinished = phase == .finished
        return Step(content: index..<index &+ count, next: index &+ count)
      case .finished:
        return Step(content: index..<index, next: index)
      default:
        try take(unsafe input.unsafeLoad(fromByteOffset: index, as: UInt8.self))
        index &+= 1
        if isFinished { return Step(content: index..<index, next: index) }
      }
    }
    return Step(content: index..<index, next: index)
  }

  /// As above, of an array.
  public mutating func advance(_ input: [UInt8], from start: Int) throws(RequestError) -> Step {
    try unsafe advance(input.span.bytes, from: start)
  }

  /// One octet of a chunk's frame or of the trailers.
  private mutating func take(_ byte: UInt8) throws(RequestError) {
    switch phase {
    case .size: try takeSize(byte)
    case .blanks: try takeBlank(byte)
    case .extensions: try takeExtension(byte)
    case .sizeEnd:
      guard byte == lineFeed else { throw .bareCarriageReturn }
      try beginChunk()
    case .dataEnd:
      guard byte == carriageReturn else { throw .malformedChunkEnd }
      phase = .dataLineFeed
    case .dataLineFeed:
      guard byte == lineFeed else { throw .malformedChunkEnd }
      phase = .size
      digits = 0
      lineLength = 0
    case .trailers: try takeTrailer(byte)
    case .counted, .data, .finished: return
    }
  }

  private mutating func takeSize(_ byte: UInt8) throws(RequestError) {
    if let digit = byte.hexDigit {
      digits &+= 1
      // Leading zeros are digits like any other, up to a length.
      if digits > limits.chunkLine { throw .chunkLineTooLong }
      if left >> (Int.bitWidth - 5) != 0 { throw .chunkSizeOverflow }
      left = left << 4 | Int(digit)
      return
    }
    if digits == 0 { throw byte == lineFeed ? .bareLineFeed : .malformedChunkSize }
    switch byte {
    case carriageReturn: phase = .sizeEnd
    case 0x3b: phase = .extensions
    case space, horizontalTab: phase = .blanks
    case lineFeed: throw .bareLineFeed
    default: throw .malformedChunkSize
    }
  }

  /// Blanks are allowed before an extension, and only there (BWS in RFC 9112 §7.1.1).
  private mutating func takeBlank(_ byte: UInt8) throws(RequestError) {
    lineLength &+= 1
    if lineLength > limits.chunkLine { throw .chunkLineTooLong }
    if byte == 0x3b { phase = .extensions } else if !byte.isASCIIBlank { throw .malformedChunkSize }
  }

  /// Extensions are checked for control characters and dropped (RFC 9112 §7.1.1).
  private mutating func takeExtension(_ byte: UInt8) throws(RequestError) {
    if byte == carriageReturn {
      phase = .sizeEnd
      return
    }
    if byte == lineFeed { throw .bareLineFeed }
    guard byte.isFieldValue else { throw .malformedChunkSize }
    lineLength &+= 1
    extensionLength &+= 1
    if lineLength > limits.chunkLine || extensionLength > limits.chunkExtensions { throw .chunkLineTooLong }
  }

  private mutating func beginChunk() throws(RequestError) {
    if left == 0 {
      phase = .trailers
    } else {
      if left > limits.body &- received { throw .contentTooLarge }
      phase = .data
    }
  }

  private mutating func takeTrailer(_ byte: UInt8) throws(RequestError) {
    let previous = trailerBytes.count > parsed ? trailerBytes.last : nil
    if byte == lineFeed, previous != carriageReturn { throw .bareLineFeed }
    trailerBytes.append(byte)
    if byte != lineFeed {
      if trailerBytes.count &- parsed > limits.fieldLine { throw .fieldTooLong }
      if trailerBytes.count > limits.trailers { throw .trailersTooLong }
      return
    }
    let line = try FieldLine(trailerBytes.span, at: parsed)
    parsed = line.next
    if line.isEnd {
      phase = .finished
      isFinished = true
      return
    }
    if trailerFields.count >= limits.fieldCount { throw .tooManyFields }
    for name: StaticString in ["content-length", "transfer-encoding", "host", "connection", "authorization", "te"]
    where trailerBytes.span.equals(name, in: line.name) {
      throw .forbiddenTrailer
    }
    trailerFields.append(RequestHead.Field(name: Extent(line.name), value: Extent(line.value)))
  }
}
