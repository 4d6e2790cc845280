import DNSWire
import EventLoop
import Octets
import ServiceKit

/// Queries to servers: each UDP query from a socket of its own, so that its port is as hard to guess as its id (RFC 5452 §9.2).
extension LoopResolver {
  /// Sends a query.
  /// - Returns: what to tell the walk when it couldn't be sent.
  func send(_ ask: Ask, _ lookUp: Int) -> WalkEvent? {
    let key = ExchangeKey(lookUp: lookUp, exchange: ask.exchange)
    counters.upstreamQueries += 1
    let timer = loop.after(ask.patience) { [weak self] in
      self?.assumeIsolated { resolver in
        resolver.counters.upstreamTimeouts += 1
        resolver.tell(key.lookUp, .patienceOver(exchange: key.exchange))
      }
    }
    var exchange = Exchange(lookUp: lookUp, ask: ask, sent: .current, socket: nil, timer: timer)
    let query = ask.message(in: traces(ask.server.ip) ? lookUps[lookUp]?.context?.child : nil)
    let source = source(towards: ask.server.ip)
    guard ask.transport == .udp else {
      exchanges[key] = exchange
      loop.spawn { [weak self] in await self?.converse(ask, query, from: source, key) }
      return nil
    }
    do throws(IOError) {
      let socket = try UDPSocket(asking: ask.server, from: source, on: loop)
      try socket.start(self)
      exchange.socket = socket
      exchanges[key] = exchange
      bySocket[ObjectIdentifier(socket)] = key
      try socket.send(query, to: ask.server)
      return nil
    } catch {
      if exchanges[key] == nil { loop.cancel(timer) }
      close(key)
      return .broken(exchange: ask.exchange, Breakage(error))
    }
  }

  /// The server's machine or the network refused what was sent.
  func failed(_ error: IOError, on socket: UDPSocket) {
    guard let key = bySocket[ObjectIdentifier(socket)] else { return }
    close(key)
    tell(key.lookUp, .broken(exchange: key.exchange, Breakage(error)))
  }

  /// The address to ask from; nil lets the kernel choose, as it must where a loopback address would lead nowhere.
  private func source(towards server: IPAddress) -> IPAddress? {
    let source = server.isV4 ? setup.sourceV4 : setup.sourceV6
    return source.flatMap { $0.isLoopback && !server.isLoopback ? nil : $0 }
  }

  /// Datagrams have come to a query's socket.
  func responses(_ batch: DatagramBatch, _ key: ExchangeKey) {
    for index in 0..<batch.count {
      guard let exchange = exchanges[key] else { return }
      let source = batch.source(index)
      switch batch.withOctets(index, { Match($0, from: source, for: exchange.ask) }) {
      case .foreign: counters.foreignResponses += 1
      case .response(let message):
        close(key)
        let rtt = Instant.current.since(exchange.sent)
        tell(key.lookUp, .response(exchange: key.exchange, message, rtt: rtt))
      case .malformed(let why):
        close(key)
        tell(key.lookUp, .broken(exchange: key.exchange, .malformed(why)))
      }
    }
  }

  /// Forgets an exchange; what still comes for it is not heard.
  func close(_ key: ExchangeKey) {
    guard let exchange = exchanges.removeValue(forKey: key) else { return }
    loop.cancel(exchange.timer)
    if let socket = exchange.socket {
      bySocket[ObjectIdentifier(socket)] = nil
      socket.close()
    }
  }

  /// Asks over TCP (RFC 7766): one query a connection.
  private func converse(_ ask: Ask, _ query: [UInt8], from source: IPAddress?, _ key: ExchangeKey) async {
    let event: WalkEvent
    do throws(IOError) {
      let octets = try await fetch(query, ask.server, from: source)
      switch unsafe Match(octets.span.bytes, from: ask.server, for: ask) {
      case .response(let message):
        let rtt = exchanges[key].map { Instant.current.since($0.sent) } ?? .zero
        event = .response(exchange: ask.exchange, message, rtt: rtt)
      case .foreign: event = .broken(exchange: ask.exchange, .malformed("not the response to the query"))
      case .malformed(let why): event = .broken(exchange: ask.exchange, .malformed(why))
      }
    } catch {
      event = .broken(exchange: ask.exchange, Breakage(error))
    }
    guard exchanges[key] != nil else { return }
    close(key)
    tell(key.lookUp, event)
  }

  private func fetch(_ query: [UInt8], _ server: SocketAddress, from source: IPAddress?) async throws(IOError)
    -> [UInt8]
  {
    let limit = setup.limits.upstreamTCP
    let end = Instant.current + limit
    let connection = try await TCPConnection.connect(to: server, from: source, on: loop, timeout: limit)
    do throws(IOError) {
      try await connection.write([UInt8(query.count >> 8), UInt8(query.count & 0xFF)] + query, timeout: limit)
      var input: [UInt8] = []
      while true {
        if input.count >= 2 {
          let length = Int(input[0]) << 8 | Int(input[1])
          if input.count >= 2 + length {
            await connection.close()
            return Array(input[2..<2 + length])
          }
        }
        let octets = try await connection.read(timeout: end.since(.current))
        guard !octets.isEmpty else { throw .closed }
        input += octets
      }
    } catch {
      await connection.close()
      throw error
    }
  }
}

extension Breakage {
  init(_ error: IOError) {
    self = error.isShortage ? .shortage("\(error)") : .unreachable("\(error)")
  }
}
