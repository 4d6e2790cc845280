import EventLoop
import Octets

/// A letter for some recipients of one domain: what goes in one transaction.
struct Parcel: Sendable {
  /// What the last host that was asked said of it.
  struct Answer: Sendable {
    var host: String
    var address: String
    /// One for each recipient that is left.
    var verdicts: [DeliveryVerdict]
  }

  var letter: Int64
  var epoch: Int64 { recipients.first?.epoch ?? 0 }
  /// Nobody has decided about these yet.
  var recipients: [DueRecipient]
  /// What was said about it in this pass, by whichever host.
  var dialogue = Dialogue()
  /// Nil as long as no host was asked.
  var answer: Answer?

  init(letter: Int64, recipients: [DueRecipient]) {
    self.letter = letter
    self.recipients = recipients
  }

  /// - Parameter due: letter by letter.
  static func group(_ due: [DueRecipient], limit: Int) -> [Parcel] {
    var parcels: [Parcel] = []
    for recipient in due {
      if let last = parcels.indices.last, parcels[last].letter == recipient.letter,
        parcels[last].recipients.count < limit
      {
        parcels[last].recipients.append(recipient)
      } else {
        parcels.append(Parcel(letter: recipient.letter, recipients: [recipient]))
      }
    }
    return parcels
  }
}

/// One pass over what is due for a domain.
struct DeliveryRun: Sendable {
  var domain: String
  /// What all of it was read in.
  let epoch: Int64
  /// What no host has decided about yet.
  var parcels: [Parcel]
  /// What was found out since the last letter: part of the next one's dialogue.
  var remarks = Dialogue()
  var host = ""
  var address = ""
  /// The addresses that were asked.
  var tried: Set<IPAddress> = []
  /// Some host has answered about some letter, so the way is open, if only now and then.
  var hasServed = false
  /// Why no host was of use, and which one that was said of.
  private(set) var lastFailure: Failure?

  /// What kept letters from being handed over, and where: empty where that was no host's doing.
  struct Failure: Sendable {
    var verdict: DeliveryVerdict
    var host = ""
    var address = ""
  }

  init(domain: String, parcels: [Parcel]) {
    self.domain = domain
    epoch = parcels.first?.epoch ?? 0
    self.parcels = parcels
  }

  /// A host, or the way to it, is of no use.
  mutating func note(_ failure: DeliveryVerdict) {
    remarks.append("* \(failure.text)")
    // As long as one host may still take it, the letter is not lost.
    if failure.kind == .deferred || lastFailure == nil { fail(failure) }
  }

  /// The host that is asked now is the one the letters were kept from, so far.
  mutating func fail(_ verdict: DeliveryVerdict) {
    lastFailure = Failure(verdict: verdict, host: host, address: address)
  }
}
