import CCurl
import Octets

/// Where a URL leads, as libcurl itself reads it, so that there is one reading of a URL and not two.
struct Target {
  let host: String
  let port: Int
  /// The address, where the host is one and not a name.
  let literal: IPAddress?

  /// - Throws: `.invalidRequest` when the request can't be put on the wire as it stands.
  init(_ request: ClientRequest) throws(HTTPClientError) {
    guard !request.method.isEmpty, request.method.utf8.allSatisfy(isTokenOctet) else {
      throw request.failure(.invalidRequest, "the method is not a token")
    }
    for (name, value) in request.headers {
      guard !name.isEmpty, name.utf8.allSatisfy(isTokenOctet) else {
        throw request.failure(.invalidRequest, "a header's name is not a token")
      }
      guard isFieldValue(value) else {
        throw request.failure(.invalidRequest, "the value of \(name) has a control character")
      }
    }
    guard isFieldValue(request.traceparent ?? "") else {
      throw request.failure(.invalidRequest, "traceparent has a control character")
    }
    guard let url = unsafe curl_url() else { throw request.failure(.overloaded, "no memory") }
    defer { unsafe curl_url_cleanup(url) }
    let code = unsafe curl_url_set(url, CURLUPART_URL, request.url, UInt32(CURLU_DISALLOW_USER))
    guard code == CURLUE_OK else {
      throw request.failure(.invalidRequest, unsafe String(cString: curl_url_strerror(code)))
    }
    func part(_ part: CURLUPart) -> String? {
      var text: UnsafeMutablePointer<CChar>?
      guard unsafe curl_url_get(url, part, &text, UInt32(CURLU_DEFAULT_PORT)) == CURLUE_OK, let text = unsafe text
      else { return nil }
      defer { unsafe curl_free(text) }
      return unsafe String(cString: text)
    }
    guard let scheme = part(CURLUPART_SCHEME), scheme == "http" || scheme == "https" else {
      throw request.failure(.invalidRequest, "only http and https are spoken here")
    }
    guard let host = part(CURLUPART_HOST), let port = part(CURLUPART_PORT).flatMap({ Int($0) }) else {
      throw request.failure(.invalidRequest, "the URL has no host")
    }
    self.host = host
    self.port = port
    literal = IPAddress(host.hasPrefix("[") ? host.dropFirst().dropLast() : host[...])
  }
}

/// RFC 9110 §5.6.2.
private func isTokenOctet(_ octet: UInt8) -> Bool {
  octet.isASCIIAlphanumeric || "!#$%&'*+-.^_`|~".utf8.contains(octet)
}

private func isFieldValue(_ value: String) -> Bool {
  value.utf8.allSatisfy { !$0.isASCIIControl || $0 == 0x09 }
}
