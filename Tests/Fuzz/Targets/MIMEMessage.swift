import MailWire

/// Reading any letter ends with something to show, and what is made 7-bit is 7-bit.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let letter = unsafe octets(data, count)
  let message = ParsedMessage(letter)
  _ = message.subject.utf8.count + message.from.count + message.to.count + message.references.count
  _ = message.date
  _ = message.text()
  _ = message.html()
  for (index, attachment) in message.attachments.enumerated() {
    require(attachment.number == index + 1, "attachments are numbered from 1")
    _ = attachment.fileName
  }
  if let converted = try? SevenBit.convert(letter) {
    require(SevenBit.isSevenBit(converted), "the conversion leaves no 8-bit octet")
  }
  return 0
}
