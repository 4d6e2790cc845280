/// A response whose body arrives piece by piece. Letting go of it ends the transfer.
public final class ClientResponseStream: Sendable {
  public let head: ClientResponseHead
  private let client: HTTPClient
  private let number: Int

  init(head: ClientResponseHead, client: HTTPClient, number: Int) {
    self.head = head
    self.client = client
    self.number = number
  }

  deinit { client.abandon(number) }

  public var status: Int { head.status }

  /// Waits for the next piece of the body, at most about 80 KiB; nil at its end. One consumer at a time.
  /// - Throws: `.brokenResponse` when the body breaks off, `.timedOut` when the peer is silent too long.
  public func next() async throws(HTTPClientError) -> [UInt8]? {
    try await client.next(number)
  }
}
