import COpenSSL

/// SHA-1 of octets that come bit by bit; nothing here rests on its strength.
@safe public struct SHA1: ~Copyable {
  private let context: OpaquePointer

  public init() throws {
    let context = unsafe EVP_MD_CTX_new()
    guard let context = unsafe context, unsafe Self.begin(context) else {
      unsafe EVP_MD_CTX_free(context)
      throw SecretsError.failed
    }
    unsafe self.context = context
  }

  deinit { unsafe EVP_MD_CTX_free(context) }

  private static func begin(_ context: OpaquePointer) -> Bool {
    unsafe EVP_DigestInit_ex(context, EVP_sha1(), nil) == 1
  }

  public mutating func update(_ octets: Span<UInt8>) throws {
    let result = unsafe octets.withUnsafeBufferPointer { unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    guard result == 1 else { throw SecretsError.failed }
  }

  public mutating func update(_ octets: [UInt8]) throws { try update(octets.span) }

  /// The twenty octets for all that came; it begins anew for the next.
  public mutating func finish() throws -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 20)
    guard unsafe EVP_DigestFinal_ex(context, &digest, nil) == 1, unsafe Self.begin(context) else {
      throw SecretsError.failed
    }
    return digest
  }
}

extension Secrets {
  /// SHA-1 of parts that follow one another, as the blocks of a piece do, without joining them.
  public static func sha1(of parts: some Sequence<[UInt8]>) throws -> [UInt8] {
    var sha1 = try SHA1()
    for part in parts { try sha1.update(part) }
    return try sha1.finish()
  }
}
