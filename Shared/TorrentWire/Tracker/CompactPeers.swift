public import Octets

/// Addresses of peers without a word between them: 6 octets each by IPv4 (BEP 23), 18 by IPv6 (BEP 7).
public enum CompactPeers {
  public static let v4Size = 6
  public static let v6Size = 18

  /// Address and port, in network order.
  public static func append(_ peer: SocketAddress, to output: inout [UInt8]) {
    var list = PeerList()
    list.append(peer)
    list.append(isV6: !peer.ip.isV4, to: &output)
  }

  /// Nil where the octets are no whole number of addresses.
  public static func decode(_ octets: ArraySlice<UInt8>, isV6: Bool) -> [SocketAddress]? {
    let size = isV6 ? v6Size : v4Size
    guard octets.count % size == 0 else { return nil }
    return stride(from: octets.startIndex, to: octets.endIndex, by: size).compactMap { start in
      let port = UInt16(octets[start + size - 2]) << 8 | UInt16(octets[start + size - 1])
      return IPAddress(bytes: octets[start..<start + size - 2]).map { SocketAddress(ip: $0, port: port) }
    }
  }
}
