import DNSWire
import Octets

// What the zone API takes and gives, in PowerDNS's shapes; names are turned into snake_case.

/// POST and PUT of a zone.
struct ZoneBody: Decodable, Sendable {
  var name: String?
  var kind: String?
  var account: String?
  var soaEditApi: String?
  var nameservers: [String]?
  var rrsets: [RRsetBody]?
  /// Zone file text.
  var zone: String?
}

/// PATCH of a zone.
struct PatchBody: Decodable {
  var rrsets: [RRsetBody]
}

struct RRsetBody: Decodable {
  var name: String
  var type: String
  var ttl: SecondsBody?
  var changetype: String?
  var records: [RecordBody]?
  var comments: [CommentBody]?
}

/// A TTL as it came. What is no whole number is refused where the record is known and can be named.
struct SecondsBody: Decodable {
  var value: Int64?

  init(_ value: Int64) { self.value = value }

  init(from decoder: any Decoder) throws {
    value = try? decoder.singleValueContainer().decode(Int64.self)
  }
}

struct RecordBody: Codable {
  var content: String
  var disabled: Bool?
}

struct CommentBody: Codable {
  var content: String
  var account: String?
  var modifiedAt: Int64?
}

struct RRsetView: Encodable {
  var name: String
  var type: String
  var ttl: UInt32
  var records: [RecordBody]
  var comments: [CommentBody]

  init(_ set: RRset) {
    name = set.name.description
    type = set.type.description
    ttl = set.ttl
    records = set.records.map { RecordBody(content: $0.data.text, disabled: $0.isDisabled) }
    comments = set.comments.map { CommentBody(content: $0.content, account: $0.account, modifiedAt: $0.modifiedAt) }
  }
}

struct ZoneView: Encodable {
  var id: String
  var name: String
  var type = "Zone"
  var url: String
  var kind: String
  var rrsets: [RRsetView]?
  var serial: UInt32
  var editedSerial: UInt32
  var notifiedSerial: UInt32 = 0
  var masters: [String] = []
  var dnssec = false
  var account: String
  var soaEdit = ""
  var soaEditApi: String
  var apiRectify = false
  var lastCheck = 0

  /// - Parameter rrsets: those to show; nil leaves the member out.
  init(_ stored: StoredZone, rrsets: [RRset]?) {
    let zone = stored.zone
    id = ZoneID.text(zone.name)
    name = zone.name.description
    url = ZoneView.url(zone.name)
    kind = zone.kind
    self.rrsets = rrsets.map { $0.map(RRsetView.init) }
    serial = zone.soa?.serial ?? 0
    editedSerial = serial
    account = zone.account
    soaEditApi = zone.soaEditAPI
  }
}

extension ZoneView {
  static func url(_ name: Name) -> String { "/api/v1/servers/localhost/zones/" + ZoneID.text(name) }
}

struct ServerView: Encodable {
  var type = "Server"
  var id = "localhost"
  var daemonType = "authoritative"
  /// The version of the API's shapes that clients ask for before they use it.
  var version = "4.9.0"
  var url = "/api/v1/servers/localhost"
  var configUrl = "/api/v1/servers/localhost/config{/config_setting}"
  var zonesUrl = "/api/v1/servers/localhost/zones{/zone}"
}

struct VersionView: Encodable {
  var url = "/api/v1"
  var version = 1
}

struct ResultView: Encodable {
  var result: String
}

/// A zone in a path: its name, other characters than letters, digits, "-", "_" and "." written as =XX; the root is
/// "=2E".
enum ZoneID {
  static func text(_ name: Name) -> String {
    if name.isRoot { return "=2E" }
    var text = ""
    for octet in name.text {
      if octet.isASCIIAlphanumeric || octet == 0x2D || octet == 0x5F || octet == 0x2E {
        text.unicodeScalars.append(Unicode.Scalar(octet))
      } else {
        text += "=" + Hex.encode([octet]).uppercased()
      }
    }
    return text
  }

  /// The final dot may be left out. Nil for what is no name.
  static func name(_ text: String) -> Name? {
    let octets = Array(text.utf8)
    var plain: [UInt8] = []
    var index = 0
    while index < octets.count {
      if octets[index] == 0x3D {
        guard index + 2 < octets.count, let high = octets[index + 1].hexDigit, let low = octets[index + 2].hexDigit
        else {
          return nil
        }
        plain.append(high << 4 | low)
        index += 3
      } else {
        plain.append(octets[index])
        index += 1
      }
    }
    return try? Name(text: plain)
  }
}
