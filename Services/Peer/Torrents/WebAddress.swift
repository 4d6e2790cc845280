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
}
