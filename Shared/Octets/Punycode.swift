/// Text beyond ASCII in the letters, digits and hyphens of a DNS label (RFC 3492).
public enum Punycode {
  /// The scalars' punycode, without the `xn--` of a domain name's label; ASCII stays as it is written.
  ///
  /// The work grows with the square of the length, so the caller bounds it.
  /// - Returns: nil where a number of the algorithm overflows.
  public static func encode(_ scalars: [Unicode.Scalar]) -> [UInt8]? {
    var output = scalars.filter(\.isASCII).map { UInt8(truncatingIfNeeded: $0.value) }
    let basic = UInt32(output.count)
    var handled = basic
    if basic > 0 { output.append(0x2D) }
    var (n, delta, bias) = (UInt32(0x80), UInt32(0), UInt32(72))
    while handled < scalars.count {
      // The next scalar of those that are not written yet (§6.3).
      guard let next = scalars.lazy.map(\.value).filter({ $0 >= n }).min() else { return nil }
      let (steps, overflow) = (next - n).multipliedReportingOverflow(by: handled + 1)
      let (sum, carry) = delta.addingReportingOverflow(steps)
      guard !overflow, !carry else { return nil }
      (n, delta) = (next, sum)
      for scalar in scalars {
        if scalar.value < n {
          guard delta < .max else { return nil }
          delta += 1
        }
        guard scalar.value == n else { continue }
        appendInteger(delta, bias, to: &output)
        bias = adapted(delta, points: handled + 1, isFirst: handled == basic)
        delta = 0
        handled += 1
      }
      guard delta < .max else { return nil }
      delta += 1
      n += 1
    }
    return output
  }

  // The parameters of §5.
  private static let (base, leastDigit, greatestDigit, skew, damp) = (
    UInt32(36), UInt32(1), UInt32(26), UInt32(38), UInt32(700)
  )

  /// A number whose digits tell by themselves which is the last (§3.3).
  private static func appendInteger(_ value: UInt32, _ bias: UInt32, to output: inout [UInt8]) {
    var rest = value
    var position = base
    while true {
      let threshold = min(max(position, bias + leastDigit) - bias, greatestDigit)
      if rest < threshold { break }
      output.append(digit(threshold + (rest - threshold) % (base - threshold)))
      rest = (rest - threshold) / (base - threshold)
      position += base
    }
    output.append(digit(rest))
  }

  /// `a` to `z` are 0 to 25, `0` to `9` are 26 to 35.
  private static func digit(_ value: UInt32) -> UInt8 {
    UInt8(truncatingIfNeeded: value < 26 ? 0x61 + value : 0x16 + value)
  }

  /// §3.4
  private static func adapted(_ delta: UInt32, points: UInt32, isFirst: Bool) -> UInt32 {
    var delta = isFirst ? delta / damp : delta / 2
    delta += delta / points
    var position: UInt32 = 0
    while delta > (base - leastDigit) * greatestDigit / 2 {
      delta /= base - leastDigit
      position += base
    }
    return position + (base - leastDigit + 1) * delta / (delta + skew)
  }
}
