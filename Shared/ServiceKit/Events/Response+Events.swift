public import EventLoop
public import HTTPServer
import HTTPWire

extension Response {
  /// What a hub tells, for as long as the client listens; `reset` for who has missed something.
  /// - Parameter render: the event's name and its data.
  public static func events<Content>(
    of listener: EventHub<Content>.Listener, on loop: EventLoop,
    _ render: @escaping @Sendable (Content) async throws -> (name: String, data: [UInt8])
  ) -> Response {
    .events { writer in
      if let newest = listener.missed {
        try await writer.send(ServerSentEvent(id: "\(newest)", event: "reset", data: Array("{}".utf8)))
      }
      while await writer.isOpen, let events = listener.take() {
        for event in events {
          let (name, data) = try await render(event.content)
          try await writer.send(ServerSentEvent(id: "\(event.id)", event: name, data: data))
        }
        // Now and then it is seen whether the client is still there.
        if events.isEmpty { await listener.bell.wait(on: loop, for: .seconds(15)) }
      }
    }
  }
}
