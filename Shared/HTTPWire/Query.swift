import Octets

extension RequestHead {
  /// The first value of a query parameter, decoded as forms are (`+` is a space); empty for a name without `=`.
  public func queryValue(_ name: String) -> String? {
    for pair in pairs where PercentEncoding.decode(pair.name, plusIsSpace: true).elementsEqual(name.utf8) {
      return decoded(pair.value)
    }
    return nil
  }

  /// Every query parameter, decoded, in order.
  public var queryItems: [(name: String, value: String)] {
    pairs.map { (decoded($0.name), decoded($0.value)) }
  }

  private func decoded(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: PercentEncoding.decode(bytes, plusIsSpace: true), as: UTF8.self)
  }

  private var pairs: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] {
    bytes[query.range].split(separator: 0x26).map { pair in
      let equals = pair.firstIndex(of: 0x3d) ?? pair.endIndex
      return (pair[..<equals], pair[equals...].dropFirst())
    }
  }
}
