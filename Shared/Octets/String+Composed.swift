// The standard library normalises in order to compare; this is its door to it, as Foundation uses it too.
@_spi(_Unicode) import Swift

extension String {
  /// The text in Normalization Form C (Unicode Standard Annex #15): equal texts are equal octets then, `e` and a combining acute
  /// too.
  public var composed: String { utf8.allSatisfy { $0 < 0x80 } ? self : String(String.UnicodeScalarView(_nfc)) }
}
