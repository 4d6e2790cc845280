import CCurl
public import EventLoop
public import Octets

/// Finds the addresses of a host by name.
public typealias HostResolver = @Sendable (_ host: String) async throws -> [IPAddress]

/// An HTTP client on one event loop. Connections are kept and used again; redirects are followed where a request says so; nothing goes
/// through a proxy; no address outside the loop's egress policy is connected to.
public actor HTTPClient {
  /// The bounds of a client.
  public struct Limits: Sendable {
    /// Requests under way, those that wait for a connection included.
    public var requests = 4096
    /// Connections open at once.
    public var connections = 256
    /// Connections open at once to one host and port.
    public var connectionsPerHost = 32
    /// Connections kept open without a request.
    public var idleConnections = 32
    /// Further attempts of a repeatable request whose connection failed.
    public var retries = 2

    public init() {}
  }

  public nonisolated let loop: EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let resolver: HostResolver?
  private let limits: Limits
  /// Made with the first request: a service that makes none does not pay for it.
  private var multi: Multi?
  private var transfers: [Int: Transfer] = [:]
  private var watchers: [Int32: DescriptorWatcher] = [:]
  private var timer: TimerID?
  private var started = 0
  private var isClosed = false

  /// - Parameter resolver: looks names up, and nobody else is asked; nil asks the system.
  public init(on loop: EventLoop, resolver: HostResolver? = nil, limits: Limits = Limits()) {
    self.loop = loop
    self.resolver = resolver
    self.limits = limits
  }

  // MARK: Requests

  /// Sends the request and reads the whole response, whatever its status.
  public func send(_ request: ClientRequest) async throws(HTTPClientError) -> ClientResponse {
    let end = Instant.current + request.deadline
    var hop = request
    for _ in 0..<max(0, request.redirects) {
      let response = try await sendOnce(hop)
      guard let next = try hop.following(response.head) else { return response }
      hop = next
      hop.deadline = end.since(.current)
    }
    let response = try await sendOnce(hop)
    guard request.redirects > 0, try hop.following(response.head) != nil else { return response }
    throw request.failure(
      .brokenResponse, "it leads from one address to the next, more than \(request.redirects) times")
  }

  private func sendOnce(_ request: ClientRequest) async throws(HTTPClientError) -> ClientResponse {
    let transfer = try await transfer(request, mode: .whole(limit: request.bodyLimit), until: .end)
    defer { forget(transfer) }
    if case .failure(let error) = transfer.result { throw error }
    guard let head = transfer.head else { throw request.failure(.brokenResponse, "no response") }
    return ClientResponse(head: head, body: transfer.takeBody())
  }

  /// Sends the request and returns with the response's head; the body is then taken piece by piece. A peer faster than
  /// the consumer is held back.
  public func stream(_ request: ClientRequest) async throws(HTTPClientError) -> ClientResponseStream {
    let transfer = try await transfer(request, mode: .streamed, until: .head)
    guard let head = transfer.head else {
      forget(transfer)
      if case .failure(let error) = transfer.result { throw error }
      throw request.failure(.brokenResponse, "no response")
    }
    return ClientResponseStream(head: head, client: self, number: transfer.number)
  }

  /// Ends all requests with `.closed` and closes all connections.
  public func close() {
    isClosed = true
    for transfer in transfers.values { end(transfer, .closed, "the client was closed") }
    for watcher in watchers.values { watcher.cancel() }
    watchers = [:]
    if let timer { loop.cancel(timer) }
    timer = nil
    multi = nil
  }

  /// Attempts the request until it has reached the milestone or failed for good.
  private func transfer(
    _ request: ClientRequest, mode: Transfer.Mode, until milestone: Transfer.Milestone
  ) async throws(HTTPClientError) -> Transfer {
    let target = try Target(request)
    let deadline = Instant.current + request.deadline
    let addresses = try await resolve(target, for: request)
    var attempt = 0
    while true {
      let now = Instant.current
      guard now < deadline else { throw request.failure(.timedOut, "no time left to connect again") }
      let transfer = try start(request, target, addresses, mode, deadline.since(now))
      await wait(transfer, for: milestone)
      guard case .failure(let error) = transfer.result, error.kind == .connection, request.isRepeatable,
        attempt < limits.retries, !Task.isCancelled
      else { return transfer }
      forget(transfer)
      attempt += 1
      await loop.sleep(for: .milliseconds(25 << attempt))
    }
  }

  private func resolve(_ target: Target, for request: ClientRequest) async throws(HTTPClientError) -> [IPAddress]? {
    guard target.literal == nil, let resolver else { return nil }
    let found = try await LookUp(of: target.host, for: request, on: loop).addresses(by: resolver)
    guard !found.isEmpty else { throw request.failure(.unresolved, "\(target.host) has no address") }
    let allowed = found.filter { loop.egress.allows($0.unmapped) }
    guard !allowed.isEmpty else {
      throw request.failure(.forbidden, "\(target.host) is outside the networks that may be reached")
    }
    return allowed
  }

  private func start(
    _ request: ClientRequest, _ target: Target, _ addresses: [IPAddress]?, _ mode: Transfer.Mode, _ remaining: Duration
  ) throws(HTTPClientError) -> Transfer {
    guard !isClosed else { throw request.failure(.closed, "the client was closed") }
    guard transfers.count < limits.requests else {
      throw request.failure(.overloaded, "\(limits.requests) requests are under way")
    }
    guard let multi = self.multi ?? Multi(limits: limits) else {
      throw request.failure(.overloaded, "libcurl could not start")
    }
    started += 1
    self.multi = multi
    let transfer = try Transfer(
      request, number: started, on: multi, target: target, addresses: addresses, mode: mode, remaining: remaining,
      egress: loop.egress)
    guard multi.add(transfer) else { throw request.failure(.overloaded, "libcurl took no more") }
    transfer.isRunning = true
    transfers[transfer.number] = transfer
    if case .streamed = mode {
      let number = transfer.number
      transfer.timer = loop.after(remaining) { [weak self] in
        self?.assumeIsolated { $0.headIsLate(number) }
      }
    }
    settle()
    return transfer
  }

  private func wait(_ transfer: Transfer, for milestone: Transfer.Milestone) async {
    let number = transfer.number
    await withTaskCancellationHandler {
      // A closure without `self` would not be the client's own, and would run wherever the caller's task does.
      await self.suspend(until: milestone, of: transfer)
    } onCancel: {
      cancel(number)
    }
    if let timer = transfer.timer { loop.cancel(timer) }
    transfer.timer = nil
  }

  private func suspend(until milestone: Transfer.Milestone, of transfer: Transfer) async {
    await withCheckedContinuation { transfer.wait(for: milestone, $0) }
  }

  private func headIsLate(_ number: Int) {
    guard let transfer = transfers[number], transfer.head == nil else { return }
    end(transfer, .timedOut, "no response before the deadline")
  }

  // MARK: Streams

  /// The next piece of a streamed body; nil at its end.
  func next(_ number: Int) async throws(HTTPClientError) -> [UInt8]? {
    guard let transfer = transfers[number] else { return nil }
    if !transfer.hasBody, transfer.result == nil { await wait(transfer, for: .body) }
    if transfer.hasBody {
      let piece = transfer.takeBody()
      if transfer.isPaused, transfer.isRunning {
        transfer.resume()
        settle()
      }
      return piece
    }
    forget(transfer)
    if case .failure(let error) = transfer.result { throw error }
    return nil
  }

  /// Ends the transfer from any thread; nothing happens when it has ended.
  nonisolated func cancel(_ number: Int) {
    loop.submit { [weak self] in
      self?.assumeIsolated { client in
        guard let transfer = client.transfers[number] else { return }
        client.end(transfer, .cancelled, "cancelled")
      }
    }
  }

  /// The consumer of a stream is gone.
  nonisolated func abandon(_ number: Int) {
    loop.submit { [weak self] in
      self?.assumeIsolated { client in
        if let transfer = client.transfers[number] { client.forget(transfer) }
      }
    }
  }

  // MARK: libcurl and the loop

  private func end(_ transfer: Transfer, _ kind: HTTPClientError.Kind, _ reason: String) {
    transfer.fail(kind, reason)
    stop(transfer)
    transfer.wake()
  }

  private func forget(_ transfer: Transfer) {
    transfers[transfer.number] = nil
    if let timer = transfer.timer { loop.cancel(timer) }
    transfer.timer = nil
    stop(transfer)
  }

  private func stop(_ transfer: Transfer) {
    guard transfer.isRunning else { return }
    transfer.isRunning = false
    multi?.remove(transfer)
    settle()
  }

  /// Does what libcurl asked for and tells those whose wait is over. Follows every call into libcurl.
  private func settle() {
    guard let multi else { return }
    while true {
      let wishes = multi.takeWishes()
      for wish in wishes {
        switch wish {
        case .watch(let socket, let what): watch(socket, what)
        case .timer(let milliseconds): setTimer(milliseconds)
        }
      }
      if let (number, code) = multi.nextFinished() {
        guard let transfer = transfers[number] else { continue }
        transfer.end(code)
        transfer.isRunning = false
        multi.remove(transfer)
        transfer.wake()
      } else if wishes.isEmpty {
        break
      }
    }
    for number in multi.takeTouched() { transfers[number]?.wake() }
  }

  private func watch(_ socket: Int32, _ what: Int32) {
    let interest: Readiness =
      switch what {
      case CURL_POLL_IN: .read
      case CURL_POLL_OUT: .write
      case CURL_POLL_INOUT: [.read, .write]
      default: []
      }
    // Without interest a socket is not watched at all: epoll reports a hang-up whether asked for or not, in every turn for as
    // long as a paused stream leaves it there.
    if interest.isEmpty {
      watchers.removeValue(forKey: socket)?.cancel()
    } else if let watcher = watchers[socket] {
      watcher.change(interest)
    } else {
      // Where epoll refuses, the transfer hears nothing and its deadline ends it.
      watchers[socket] = try? DescriptorWatcher(socket, interest, on: loop) { [weak self] readiness in
        self?.assumeIsolated { $0.ready(socket, readiness) }
      }
    }
  }

  /// How many sockets the loop watches for libcurl.
  var watched: Int { watchers.count }

  private func ready(_ socket: Int32, _ readiness: Readiness) {
    var bits: Int32 = 0
    if readiness.contains(.read) { bits |= CURL_CSELECT_IN }
    if readiness.contains(.write) { bits |= CURL_CSELECT_OUT }
    if !readiness.isDisjoint(with: .hangUp) { bits |= CURL_CSELECT_ERR }
    multi?.ready(socket, bits)
    settle()
  }

  private func setTimer(_ milliseconds: Int) {
    if let timer { loop.cancel(timer) }
    timer = nil
    guard milliseconds >= 0 else { return }
    timer = loop.after(.milliseconds(milliseconds)) { [weak self] in
      self?.assumeIsolated { client in
        client.timer = nil
        client.multi?.timeOut()
        client.settle()
      }
    }
  }
}
