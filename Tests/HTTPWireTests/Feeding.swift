import HTTPWire

/// Parses a request's head that comes in two pieces, cut at `cut`; returns it with what was not its own.
func parseHead(_ text: String, cut: Int, limits: Limits = Limits()) throws(RequestError) -> (
  RequestHead, rest: [UInt8]
)? {
  var parser = RequestParser(limits: limits)
  let bytes = Array(text.utf8)
  var taken = 0
  for piece in [bytes[..<cut], bytes[cut...]] where !parser.isComplete {
    taken += try parser.feed(Array(piece))
  }
  return parser.isComplete ? (parser.head, Array(bytes[taken...])) : nil
}

/// Parses a request's head that comes octet by octet.
func parseHeadByOctets(_ text: String, limits: Limits = Limits()) throws(RequestError) -> RequestHead? {
  var parser = RequestParser(limits: limits)
  for byte in text.utf8 where !parser.isComplete { _ = try parser.feed([byte]) }
  return parser.isComplete ? parser.head : nil
}

func head(_ text: String) throws -> RequestHead {
  guard let (head, _) = try parseHead(text, cut: text.utf8.count) else { throw Incomplete() }
  return head
}

/// A head for a target and fields, with a Host.
func head(target: String, method: String = "GET", fields: [String] = []) throws -> RequestHead {
  try head((["\(method) \(target) HTTP/1.1", "Host: a"] + fields + ["", ""]).joined(separator: "\r\n"))
}

/// Decodes content that comes in pieces of at most `size` octets.
func decodeBody(_ bytes: [UInt8], _ framing: BodyFraming, size: Int, limits: Limits = Limits()) throws(RequestError)
  -> (content: [UInt8], isFinished: Bool, rest: Int, trailers: [String])
{
  var decoder = BodyDecoder(framing, limits: limits)
  var content: [UInt8] = []
  var start = 0
  var used = 0
  while start < bytes.count, !decoder.isFinished {
    let piece = Array(bytes[start..<min(start + size, bytes.count)])
    var index = 0
    while index < piece.count, !decoder.isFinished {
      let step = try decoder.advance(piece, from: index)
      content += piece[step.content]
      index = step.next
    }
    used = start + index
    start += piece.count
  }
  return (content, decoder.isFinished, bytes.count - used, decoder.trailers.map { "\($0.name)=\($0.value)" })
}

struct Incomplete: Error {}
