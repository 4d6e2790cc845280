/// The input of one run as an array; libFuzzer owns the memory it points to.
func octets(_ data: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
  unsafe Array(UnsafeBufferPointer(start: data, count: count))
}

/// Ends the run when a property doesn't hold; libFuzzer then keeps the input.
func require(_ holds: Bool, _ property: StaticString) {
  precondition(holds, "\(property)")
}
