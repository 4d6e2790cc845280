import HTTPWire

/// However the octets are cut, the same requests are read or the same refusal is given.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = unsafe octets(data, count)
  require(requests(in: [input]) == requests(in: input.map { [$0] }), "a cut changes nothing")
  return 0
}

/// Heads, contents and the refusal, as text.
private func requests(in pieces: [[UInt8]]) -> [String] {
  var told: [String] = []
  var parser = RequestParser()
  var body: BodyDecoder?
  var content: [UInt8] = []
  do throws(RequestError) {
    for piece in pieces {
      let bytes = unsafe piece.span.bytes
      var index = 0
      while index < piece.count {
        if var decoder = body {
          let step = try decoder.advance(bytes, from: index)
          require(step.next >= index && step.next <= piece.count, "a step stays inside its input")
          content += piece[step.content]
          if decoder.isFinished {
            told.append("content \(content) \(decoder.trailers)")
            content = []
            body = nil
            parser.reset()
          } else {
            require(step.next > index, "a step goes on")
            body = decoder
          }
          index = step.next
        } else {
          index += try parser.feed(bytes.extracting(index..<piece.count))
          guard parser.isComplete else { continue }
          told.append("head \(parser.head.bytes)")
          let decoder = BodyDecoder(parser.head.framing)
          if decoder.isFinished { parser.reset() } else { body = decoder }
        }
      }
    }
  } catch {
    told.append("refused \(error)")
  }
  return told
}
