import EventLoop
import HTTPWire

/// From a response to octets.
extension HTTPConnection {
  /// Content up to here is written together with its head.
  private static var joined: Int { 4096 }

  func answer(_ request: Request, _ original: Response) {
    var response = original
    routes.end(request, &response)
    send(response)
  }

  /// Answers what could not be understood, or took too long. The connection ends with it.
  func refuse(_ response: Response) {
    output.removeAll(keepingCapacity: true)
    guard case .octets(let octets) = response.content else { return }
    ResponseEncoder.appendHead(
      to: &output, status: response.status, date: server.dateLine(), fields: response.fields,
      framing: .length(octets.count), keepsAlive: false)
    output += octets
    unsafe stream.write(output.span.bytes)
    state.answer = .whole
    record(response.status)
  }

  func record(_ status: Status) {
    guard let log = server.configuration.onAccess else { return }
    log(
      AccessRecord(
        peer: stream.peer, head: state.head, status: status, duration: Instant.current.since(started)))
  }

  private func send(_ response: Response) {
    let length: Int?
    switch response.content {
    case .none: length = 0
    case .octets(let octets): length = octets.count
    case .file(_, let range): length = range.count
    case .stream(let known, _, _): length = known
    }
    let plan = state.plan(response.status, length: length)
    let isSmall = plan.sendsContent && plan.framing != .chunked && (length ?? 0) <= Self.joined
    // Taken out of the actor meanwhile: each access to a property of a class is checked when it happens.
    var octets: [UInt8] = []
    swap(&octets, &output)
    octets.removeAll(keepingCapacity: true)
    ResponseEncoder.appendHead(
      to: &octets, status: response.status, date: server.dateLine(), fields: response.fields, framing: plan.framing,
      keepsAlive: plan.keepsAlive, isHTTP10: plan.isHTTP10)
    if isSmall, case .octets(let content) = response.content { octets += content }
    unsafe stream.write(octets.span.bytes)
    swap(&octets, &output)
    record(response.status)
    guard plan.sendsContent else { return answered() }
    switch response.content {
    case .none: break
    case .octets(let content):
      if !isSmall { stream.write(content) }
    case .file(let file, let range):
      let descriptor = file.duplicate()
      if descriptor < 0, !range.isEmpty { return abort() }
      stream.sendFile(descriptor, offset: Int64(range.lowerBound), count: Int64(range.count))
    case .stream(let length, let isLive, let produce):
      state.beginStream(plan, length: length, isLive: isLive)
      return self.produce(produce, isLive: isLive)
    }
    answered()
  }

  /// The answer has been handed over whole.
  func answered() {
    conclude(state.answered(at: loop.now))
    // One who still reads what nobody keeps is told so.
    wakeReader()
  }
}
