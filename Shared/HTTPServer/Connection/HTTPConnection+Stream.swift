import EventLoop
import HTTPWire

/// Content that is made while it is sent.
extension HTTPConnection {
  func produce(_ produce: @escaping @Sendable (ResponseWriter) async throws -> Void, isLive: Bool) {
    let serial = state.serial
    if isLive { beat(serial) }
    let server = server
    task = Self.task(on: loop) {
      do {
        try await produce(ResponseWriter(connection: self, serial: serial))
        await self.finishStream(of: serial, failed: false)
      } catch {
        if await self.isOpen(serial) { server.configuration.onError?(error) }
        await self.finishStream(of: serial, failed: true)
      }
    }
  }

  /// A quiet live stream still says something, so that both ends notice when the other has gone.
  private func beat(_ serial: UInt64) {
    loop.after(server.configuration.heartbeat) { [weak self] in
      self?.assumeIsolated { connection in
        guard connection.isOpen(serial) else { return }
        if !connection.stream.isCongested, case .send(let isChunk) = connection.state.write(0, of: serial) {
          connection.emit(ServerSentEvent.heartbeat, isChunk: isChunk)
        }
        connection.beat(serial)
      }
    }
  }

  func isOpen(_ request: UInt64) -> Bool { state.isStreaming(request) }

  func setTrailers(_ trailers: FieldBlock, of request: UInt64) { state.setTrailers(trailers, of: request) }

  /// Several tasks may write to one stream: each portion stays whole, and all wait while the client is slow.
  func write(_ octets: [UInt8], of request: UInt64) async throws {
    try await clientReads(request)
    switch state.write(octets.count, of: request) {
    case .closed: throw IOError.closed
    case .tooMuch: throw HTTPProblem(500, "more content than its length")
    case .send(let isChunk):
      if !octets.isEmpty { emit(octets, isChunk: isChunk) }
    }
    try await clientReads(request)
    guard state.isStreaming(request) else { throw IOError.closed }
  }

  private func clientReads(_ request: UInt64) async throws {
    while stream.isCongested, state.isStreaming(request) {
      try Task.checkCancellation()
      state.waitForClient(at: loop.now)
      settle()
      await withTaskCancellationHandler {
        // Looked at here: a task of another loop may lose its turn on the way, and nobody would wake it.
        await withCheckedContinuation { writer in
          if stream.isCongested, state.isStreaming(request), !Task.isCancelled {
            writers.append(writer)
          } else {
            writer.resume()
          }
        }
      } onCancel: {
        loop.submit { self.assumeIsolated { $0.wakeWriters() } }
      }
    }
  }

  private func emit(_ octets: [UInt8], isChunk: Bool) {
    guard isChunk else { return stream.write(octets) }
    output.removeAll(keepingCapacity: true)
    ResponseEncoder.appendChunkHead(to: &output, count: octets.count)
    unsafe stream.write(output.span.bytes)
    stream.write(octets)
    stream.write("\r\n")
  }

  func finishStream(of request: UInt64, failed: Bool) {
    switch state.finishStream(request, failed: failed) {
    case .stale: return
    case .abort: return abort()
    case .bare: break
    case .lastChunk(let trailers):
      output.removeAll(keepingCapacity: true)
      ResponseEncoder.appendLastChunk(to: &output, trailers: trailers)
      unsafe stream.write(output.span.bytes)
    }
    // Where it is the server that ends a live stream, its producer hears of it.
    task?.cancel()
    task = nil
    answered()
    wakeWriters()
    resume()
    settle()
  }
}
