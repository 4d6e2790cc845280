import CCurl

/// libcurl's multi handle. Its callbacks come in the middle of libcurl's own work, so they only note what it wants:
/// whoever called into it takes the notes afterwards.
@safe
final class Multi {
  /// What libcurl wants from the event loop.
  enum Wish {
    /// To be told of a socket's readiness: CURL_POLL_IN, _OUT, _INOUT, _NONE or _REMOVE.
    case watch(Int32, Int32)
    /// To be called after so many milliseconds; negative for not at all. There is one timer.
    case timer(Int)
  }

  private let handle: UnsafeMutableRawPointer
  private var wishes: [Wish] = []
  /// Transfers that have received something, by number.
  var touched: [Int] = []

  init?(limits: HTTPClient.Limits) {
    guard Multi.isLibraryReady, let handle = unsafe curl_multi_init() else { return nil }
    unsafe self.handle = handle
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe ccurl_multi_on_socket(
      handle,
      { _, socket, what, context, _ in
        unsafe Multi.from(context)?.wishes.append(.watch(socket, what))
        return 0
      }, context)
    unsafe ccurl_multi_on_timer(
      handle,
      { _, milliseconds, context in
        unsafe Multi.from(context)?.wishes.append(.timer(milliseconds))
        return 0
      }, context)
    unsafe ccurl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, limits.idleConnections)
    unsafe ccurl_multi_set_long(handle, CURLMOPT_MAX_HOST_CONNECTIONS, limits.connectionsPerHost)
    unsafe ccurl_multi_set_long(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, limits.connections)
  }

  deinit {
    // Cleaning up calls back, and nothing may hold on to an object on its way out.
    unsafe ccurl_multi_on_socket(handle, nil, nil)
    unsafe ccurl_multi_on_timer(handle, nil, nil)
    unsafe curl_multi_cleanup(handle)
  }

  /// Once a process; thread-safe since libcurl 7.84.
  private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  @unsafe private static func from(_ context: UnsafeMutableRawPointer?) -> Multi? {
    unsafe context.map { unsafe Unmanaged<Multi>.fromOpaque($0).takeUnretainedValue() }
  }

  func add(_ transfer: Transfer) -> Bool {
    unsafe curl_multi_add_handle(handle, transfer.easy) == CURLM_OK
  }

  func remove(_ transfer: Transfer) {
    unsafe curl_multi_remove_handle(handle, transfer.easy)
  }

  /// The socket is ready: bits of CURL_CSELECT_IN, _OUT and _ERR.
  func ready(_ socket: Int32, _ bits: Int32) {
    var running: Int32 = 0
    unsafe curl_multi_socket_action(handle, socket, bits, &running)
  }

  /// The timer went off.
  func timeOut() {
    var running: Int32 = 0
    unsafe curl_multi_socket_action(handle, CURL_SOCKET_TIMEOUT, 0, &running)
  }

  func takeWishes() -> [Wish] {
    defer { wishes = [] }
    return wishes
  }

  func takeTouched() -> [Int] {
    defer { touched = [] }
    return touched
  }

  /// The next transfer that ended: its number and libcurl's result.
  func nextFinished() -> (number: Int, result: CURLcode)? {
    var result = CURLE_OK
    let number = unsafe ccurl_multi_finished(handle, &result)
    return number == 0 ? nil : (number, result)
  }
}
