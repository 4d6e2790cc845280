import CCurl
import Octets

/// Where an answer leads to another place (RFC 9110 §15.4), as libcurl itself reads it. Each hop is a request of its own: its name is
/// looked up anew, and its address has to be allowed.
extension ClientRequest {
  /// Octets of a reference, at most.
  private static let referenceLimit = 8192

  /// The request to send next; nil where the answer leads nowhere, or where the request's method doesn't follow.
  /// - Throws: `.brokenResponse` where it leads to what is no web address.
  public func following(_ head: ClientResponseHead) throws(HTTPClientError) -> ClientRequest? {
    guard [301, 302, 303, 307, 308].contains(head.status), method == "GET" || method == "HEAD",
      let reference = head.header("location")
    else { return nil }
    var next = self
    let place = reference.utf8.count <= Self.referenceLimit ? Self.resolve(reference, at: url) : nil
    next.url = place ?? ""
    guard place != nil, let before = try? Target(self), let after = try? Target(next) else {
      throw failure(.brokenResponse, "it leads to what is no web address")
    }
    // What was meant for one server is nobody else's business, nor anybody's on the way to it.
    let isAsSafe = next.url.hasPrefix("https:") || url.prefix(6).lowercased() != "https:"
    if before.host != after.host || before.port != after.port || !isAsSafe {
      next.headers.removeAll { ["authorization", "cookie"].contains($0.name.lowercased()) }
    }
    return next
  }

  /// RFC 3986 §5.
  private static func resolve(_ reference: String, at base: String) -> String? {
    guard let url = unsafe curl_url() else { return nil }
    defer { unsafe curl_url_cleanup(url) }
    guard unsafe curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK,
      unsafe curl_url_set(url, CURLUPART_URL, reference, UInt32(CURLU_DISALLOW_USER)) == CURLUE_OK,
      unsafe curl_url_set(url, CURLUPART_FRAGMENT, nil, 0) == CURLUE_OK
    else { return nil }
    var text: UnsafeMutablePointer<CChar>?
    guard unsafe curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK, let text = unsafe text else { return nil }
    defer { unsafe curl_free(text) }
    return unsafe String(cString: text)
  }
}
