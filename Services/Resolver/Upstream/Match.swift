import DNSWire
import Octets
import ServiceKit

/// Whether a message is the response to a query (RFC 5452 §9.1). The port it came to is the socket's own.
enum Match {
  case response(Message)
  /// From elsewhere, or with another id or question: as if it had not come.
  case foreign
  /// From the server and with the id, but not to be read.
  case malformed(String)

  init(_ octets: RawSpan, from source: SocketAddress, for ask: Ask) {
    guard source == ask.server, let header = Header(decoding: octets), header.id == ask.id, header.isResponse,
      header.opcode == .query
    else {
      self = .foreign
      return
    }
    do throws(WireError) {
      let message = try Message(decoding: octets)
      if let question = message.questions.first {
        let asked = Question(name: ask.name, type: ask.type)
        self = message.questions.count == 1 && question == asked ? .response(message) : .foreign
      } else {
        // A server that can't read the query may leave the question out (RFC 1035 §4.1.1), and only then.
        let isError = message.header.responseCode != .noError && message.header.responseCode != .nameError
        self = isError ? .response(message) : .foreign
      }
    } catch {
      // Some cut a long answer in the middle of a record; TC says to ask again over TCP, and that is all it is good for.
      self =
        header.isTruncated && ask.transport == .udp ? .response(Message(header: header)) : .malformed("\(error)")
    }
  }
}

extension Ask {
  /// The query's octets.
  /// - Parameter context: the span that the server's work belongs to, where it may be told.
  func message(in context: TraceContext?) -> [UInt8] {
    let options = context.map { [EDNSOption(code: EDNSOption.trace, data: $0.ednsOption)] } ?? []
    return Message(
      id: id, question: Question(name: name, type: type), recursionDesired: recursionDesired,
      edns: withEDNS ? EDNS(options: options) : nil
    ).encoded()
  }
}
