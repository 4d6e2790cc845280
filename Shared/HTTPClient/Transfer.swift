import CCurl
import EventLoop
import Glibc
import Octets

/// One attempt at one request: libcurl's easy handle, what it has received, and who waits for it. It lives on the
/// client's loop; libcurl's callbacks only put things here.
@safe
final class Transfer {
  enum Mode {
    /// The body is kept whole, up to so many octets.
    case whole(limit: Int)
    /// The body is taken piece by piece.
    case streamed
  }

  /// What a waiter waits for.
  enum Milestone {
    case head
    case body
    case end
  }

  /// Octets of a streamed body that wait for their consumer before the peer is held back.
  private static let highWater = 65_536

  let easy: UnsafeMutableRawPointer
  /// Names the transfer within its client; not 0.
  let number: Int
  let request: ClientRequest
  private let mode: Mode
  private let egress: EgressPolicy
  private unowned let multi: Multi
  private var lists: [UnsafeMutablePointer<curl_slist>] = unsafe []
  private let words: UnsafeMutablePointer<CChar>

  private(set) var head: ClientResponseHead?
  private var fields: [(name: String, value: String)] = []
  private var body: [UInt8] = []
  private(set) var isPaused = false
  private var isTooLarge = false
  private var forbidden: String?
  /// Set once: whether it ended well or not.
  private(set) var result: Result<Void, HTTPClientError>?
  /// Whether the multi handle has it.
  var isRunning = false
  /// Ends a stream whose head does not come.
  var timer: TimerID?
  private var waiter: (milestone: Milestone, continuation: CheckedContinuation<Void, Never>)?

  /// - Parameters:
  ///   - addresses: where the host is, or nil to let libcurl ask the system.
  ///   - remaining: what is left of the deadline.
  init(
    _ request: ClientRequest, number: Int, on multi: Multi, target: Target, addresses: [IPAddress]?, mode: Mode,
    remaining: Duration,
    egress: EgressPolicy
  ) throws(HTTPClientError) {
    guard let easy = unsafe curl_easy_init() else { throw request.failure(.overloaded, "no memory") }
    unsafe self.easy = easy
    self.number = number
    self.multi = multi
    self.request = request
    self.mode = mode
    self.egress = egress
    unsafe words = .allocate(capacity: Int(CURL_ERROR_SIZE))
    unsafe words.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    unsafe ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, words)
    unsafe ccurl_set_number(easy, number)
    unsafe ccurl_set_text(easy, CURLOPT_URL, request.url)
    setRules()
    setTimes(remaining)
    setHeaders()
    setBody()
    if let source = request.sourceAddress { unsafe ccurl_set_text(easy, CURLOPT_INTERFACE, "host!\(source)") }
    setCallbacks()
    if let addresses { pin(target, to: addresses) }
  }

  deinit {
    unsafe curl_easy_cleanup(easy)
    while let list = unsafe lists.popLast() { unsafe curl_slist_free_all(list) }
    unsafe words.deallocate()
  }

  // MARK: Options

  private func setRules() {
    unsafe ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1)
    unsafe ccurl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https")
    unsafe ccurl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
    // No proxy from the environment: requests go where the URL says, or nowhere.
    unsafe ccurl_set_text(easy, CURLOPT_PROXY, "")
    unsafe ccurl_set_text(easy, CURLOPT_USERAGENT, "network-utopia")
    // libcurl sends any request again when a kept connection turns out dead; on a fresh one it has no reason to.
    if !request.isRepeatable { unsafe ccurl_set_long(easy, CURLOPT_FRESH_CONNECT, 1) }
  }

  private func setTimes(_ remaining: Duration) {
    unsafe ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, max(1, min(request.connectTimeout, remaining).milliseconds))
    switch mode {
    case .whole: unsafe ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, max(1, remaining.milliseconds))
    case .streamed:
      if let silence = request.silence {
        unsafe ccurl_set_long(easy, CURLOPT_LOW_SPEED_LIMIT, 1)
        unsafe ccurl_set_long(easy, CURLOPT_LOW_SPEED_TIME, max(1, silence.milliseconds / 1000))
      }
    }
  }

  private func setHeaders() {
    // A field without value needs a semicolon in libcurl's notation; "Name:" takes out one it would add by itself.
    var lines = request.headers.map { name, value in value.isEmpty ? "\(name);" : "\(name): \(value)" }
    if let traceparent = request.traceparent { lines.append("traceparent: \(traceparent)") }
    lines.append("Expect:")
    if !request.headers.contains(where: { $0.name.utf8.elementsEqual("content-type".utf8, by: same) }) {
      lines.append("Content-Type:")
    }
    add(lines, as: CURLOPT_HTTPHEADER)
  }

  private func setBody() {
    if let body = request.body {
      unsafe ccurl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, Int64(body.count))
      _ = unsafe body.withUnsafeBytes { buffer in
        if let base = buffer.baseAddress, buffer.count > 0 {
          unsafe ccurl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: base))
        } else {
          unsafe ccurl_set_text(easy, CURLOPT_COPYPOSTFIELDS, "")
        }
      }
      unsafe ccurl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method)
    } else if request.method == "HEAD" {
      unsafe ccurl_set_long(easy, CURLOPT_NOBODY, 1)
    } else {
      unsafe ccurl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method)
    }
  }

  /// The names were looked up by the client's resolver: libcurl takes these addresses and asks nobody. The "+" lets the
  /// entry grow old with libcurl's cache.
  private func pin(_ target: Target, to addresses: [IPAddress]) {
    let list = addresses.map { $0.isV4 ? "\($0)" : "[\($0)]" }.joined(separator: ",")
    add(["+\(target.host):\(target.port):\(list)"], as: CURLOPT_RESOLVE)
  }

  private func add(_ lines: [String], as option: CURLoption) {
    var list: UnsafeMutablePointer<curl_slist>?
    for line in lines { unsafe list = curl_slist_append(list, line) ?? list }
    guard let list = unsafe list else { return }
    unsafe lists.append(list)
    unsafe ccurl_set_pointer(easy, option, list)
  }

  private func setCallbacks() {
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe ccurl_on_header(
      easy,
      { bytes, size, count, context in
        let line = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
        unsafe Transfer.from(context)?.headerLine(Array(line))
        return size * count
      }, context)
    unsafe ccurl_on_body(
      easy,
      { bytes, size, count, context in
        let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
        return unsafe Transfer.from(context)?.bodyPiece(piece) ?? 0
      }, context)
    unsafe ccurl_on_open(
      easy,
      { context, purpose, address in
        guard let address = unsafe address, let transfer = unsafe Transfer.from(context),
          unsafe transfer.allows(address)
        else { return -1 }
        return unsafe ccurl_open(address)
      }, context)
  }

  // MARK: Callbacks

  @unsafe private static func from(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    unsafe context.map { unsafe Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
  }

  private func headerLine(_ line: [UInt8]) {
    // Trailers come the same way: nobody asked for them.
    guard head == nil else { return }
    if line.starts(with: "HTTP/".utf8) {
      fields = []
    } else if let colon = line.firstIndex(of: UInt8(ascii: ":")) {
      let name = String(decoding: line[..<colon], as: UTF8.self)
      let rest = line[(colon + 1)...].drop { $0.isASCIIBlank }
      let end = rest.lastIndex { !$0.isASCIIBlank && $0 != 0x0D && $0 != 0x0A }
      fields.append((name, String(decoding: rest[..<(end.map { $0 + 1 } ?? rest.startIndex)], as: UTF8.self)))
    } else {
      let status = unsafe ccurl_status(easy)
      guard status >= 200 else { return }
      head = ClientResponseHead(status: status, headers: fields)
      multi.touched.append(number)
    }
  }

  /// - Returns: how many octets were taken: all, none to end the transfer, or libcurl's sign to try again later.
  private func bodyPiece(_ piece: UnsafeRawBufferPointer) -> Int {
    switch mode {
    case .whole(let limit):
      guard piece.count <= limit - body.count else {
        isTooLarge = true
        return 0
      }
    case .streamed:
      guard body.count < Transfer.highWater else {
        isPaused = true
        return Int(CURL_WRITEFUNC_PAUSE)
      }
      multi.touched.append(number)
    }
    unsafe body.append(contentsOf: piece)
    return piece.count
  }

  @unsafe private func allows(_ address: UnsafeMutablePointer<curl_sockaddr>) -> Bool {
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = unsafe bytes.withUnsafeMutableBufferPointer { unsafe ccurl_address(address, $0.baseAddress) }
    guard let ip = IPAddress(bytes: bytes.prefix(Int(count))) else { return false }
    if egress.allows(ip.unmapped) { return true }
    forbidden = "\(ip)"
    return false
  }

  // MARK: For the client

  /// What has come of the body, which is then the caller's.
  func takeBody() -> [UInt8] {
    defer { body = [] }
    return body
  }

  var hasBody: Bool { !body.isEmpty }

  /// Lets the peer go on.
  func resume() {
    isPaused = false
    unsafe curl_easy_pause(easy, CURLPAUSE_CONT)
  }

  /// libcurl is done with it.
  func end(_ code: CURLcode) {
    result = code == CURLE_OK ? .success(()) : .failure(failure(code))
  }

  func fail(_ kind: HTTPClientError.Kind, _ reason: String) {
    if result == nil { result = .failure(request.failure(kind, reason)) }
  }

  func wait(for milestone: Milestone, _ continuation: CheckedContinuation<Void, Never>) {
    waiter = (milestone, continuation)
    wake()
  }

  /// Lets the waiter go when what it waits for is there.
  func wake() {
    guard let (milestone, continuation) = waiter else { return }
    let isThere =
      switch milestone {
      case .head: head != nil
      case .body: !body.isEmpty
      case .end: false
      }
    guard isThere || result != nil else { return }
    waiter = nil
    continuation.resume()
  }

  private func failure(_ code: CURLcode) -> HTTPClientError {
    if let forbidden {
      return request.failure(.forbidden, "\(forbidden) is outside the networks that may be reached")
    }
    if isTooLarge, case .whole(let limit) = mode {
      return request.failure(.tooLarge, "the response is longer than \(limit) octets")
    }
    let detail = unsafe String(cString: words)
    let reason = detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail
    return request.failure(Transfer.kind(of: code, hasHead: head != nil), reason)
  }

  private static func kind(of code: CURLcode, hasHead: Bool) -> HTTPClientError.Kind {
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST: .unresolved
    case CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED: .connection
    case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING: hasHead ? .brokenResponse : .connection
    case CURLE_OPERATION_TIMEDOUT: .timedOut
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: hasHead ? .brokenResponse : .invalidRequest
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM: .tls
    case CURLE_OUT_OF_MEMORY: .overloaded
    default: .brokenResponse
    }
  }
}

private func same(_ one: UInt8, _ other: UInt8) -> Bool {
  one.asciiLowercased == other.asciiLowercased
}

extension Duration {
  /// Rounded down.
  var milliseconds: Int {
    Int(clamping: components.seconds.multipliedReportingOverflow(by: 1000).partialValue)
      + Int(components.attoseconds / 1_000_000_000_000_000)
  }
}
