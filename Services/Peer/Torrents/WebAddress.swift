/// Addresses on the web that strangers name, and where they lead.
enum WebAddress {
  static func isUsable(_ url: String) -> Bool {
    (url.hasPrefix("http://") || url.hasPrefix("https://")) && url.utf8.count <= 2000
      && url.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
  }

  static let words =
    "must begin with http:// or https:// and have at most 2000 octets, without spaces and control characters"

  /// How often one may lead to the next.
  static let redirectLimit = 5

  static func isRedirect(_ status: Int) -> Bool { [301, 302, 303, 307, 308].contains(status) }

  /// Where a reference leads (RFC 3986, section 5), without the dots in its path: servers know them too.
  static func resolve(_ reference: String, at place: String) -> String {
    let reference = reference.prefix { $0 != "#" }
    if reference.prefix(while: { $0 != "/" && $0 != "?" }).contains(":") { return String(reference) }
    let scheme = place.prefix { $0 != ":" }
    if reference.hasPrefix("//") { return "\(scheme):\(reference)" }
    let authority = place.dropFirst(scheme.count + 3).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    if reference.hasPrefix("/") { return "\(scheme)://\(authority)\(reference)" }
    let path = place.dropFirst(scheme.count + 3 + authority.count).prefix { $0 != "?" && $0 != "#" }
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
    return "\(scheme)://\(authority)\(folder)\(reference)"
  }
}
