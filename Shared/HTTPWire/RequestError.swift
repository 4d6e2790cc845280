/// Why a request is refused. Its bytes can't be trusted to end where they seem to, so the connection closes after the answer.
public enum RequestError: Error, Equatable, Hashable, Sendable, CaseIterable {
  case bareLineFeed, bareCarriageReturn
  case malformedRequestLine, malformedVersion, malformedMethod, malformedTarget, malformedEscape
  case unsupportedVersion, unknownMethod
  case requestLineTooLong, fieldTooLong, headTooLong, tooManyFields
  case foldedField, spaceBeforeColon, malformedFieldName, malformedFieldValue
  case missingHost, repeatedHost, malformedHost
  case malformedContentLength, repeatedContentLength, lengthWithTransferEncoding
  case repeatedTransferEncoding, transferEncodingInHTTP10, unknownTransferEncoding
  case unknownExpectation
  case malformedChunkSize, chunkSizeOverflow, chunkLineTooLong, malformedChunkEnd
  case contentTooLarge, trailersTooLong, forbiddenTrailer

  /// The status that answers it.
  public var status: Status {
    switch self {
    case .unsupportedVersion: .httpVersionNotSupported
    case .unknownMethod, .unknownTransferEncoding: .notImplemented
    case .requestLineTooLong: .uriTooLong
    case .fieldTooLong, .headTooLong, .tooManyFields, .trailersTooLong: .headerFieldsTooLarge
    case .contentTooLarge: .contentTooLarge
    case .unknownExpectation: .expectationFailed
    default: .badRequest
    }
  }

  /// What is wrong and what would be right, for the person who sent it.
  public var detail: String {
    switch self {
    case .bareLineFeed: "A line ends in LF alone; lines end in CRLF (RFC 9112 section 2.2)."
    case .bareCarriageReturn: "A CR stands without its LF; lines end in CRLF (RFC 9112 section 2.2)."
    case .malformedRequestLine: "The request line is not `METHOD SP target SP HTTP/1.1` with single spaces."
    case .malformedVersion: "The request line does not end in a version such as HTTP/1.1."
    case .malformedMethod: "The method is not a token of letters, digits and !#$%&'*+-.^_`|~."
    case .malformedTarget:
      "The request target is neither a path beginning with `/`, nor an http URI, nor `*` with OPTIONS; spaces, quotes, "
        + "control and non-ASCII characters must be percent-encoded."
    case .malformedEscape: "A `%` in the path is not followed by two hexadecimal digits, or encodes NUL."
    case .unsupportedVersion: "Only HTTP/1.1 and HTTP/1.0 are spoken here."
    case .unknownMethod: "The method is not implemented by this server."
    case .requestLineTooLong: "The request line is longer than this server accepts."
    case .fieldTooLong: "A header field is longer than this server accepts."
    case .headTooLong: "The header section is longer than this server accepts."
    case .tooManyFields: "There are more header fields than this server accepts."
    case .foldedField: "A header field is folded over several lines, which RFC 9112 section 5.2 forbids."
    case .spaceBeforeColon: "White space stands between a field name and its colon (RFC 9112 section 5.1)."
    case .malformedFieldName: "A header line is not `name: value` with a token for its name."
    case .malformedFieldValue: "A header field value contains NUL or another control character."
    case .missingHost: "The Host field is missing; HTTP/1.1 requires exactly one."
    case .repeatedHost: "There are several Host fields; HTTP/1.1 requires exactly one."
    case .malformedHost: "The host is not a name or address with an optional port."
    case .malformedContentLength: "Content-Length is not one plain decimal number."
    case .repeatedContentLength: "There are several Content-Length fields."
    case .lengthWithTransferEncoding:
      "Transfer-Encoding and Content-Length stand together, so the body's end is ambiguous."
    case .repeatedTransferEncoding: "There is more than one transfer coding, or `chunked` more than once."
    case .transferEncodingInHTTP10: "HTTP/1.0 has no Transfer-Encoding."
    case .unknownTransferEncoding: "Only the transfer coding `chunked` is implemented."
    case .unknownExpectation: "Only the expectation `100-continue` can be met."
    case .malformedChunkSize: "A chunk does not begin with its size in hexadecimal digits and CRLF."
    case .chunkSizeOverflow: "A chunk size has too many digits."
    case .chunkLineTooLong: "Chunk extensions are longer than this server accepts."
    case .malformedChunkEnd: "A chunk's data is not followed by CRLF."
    case .contentTooLarge: "The content is larger than this server accepts."
    case .trailersTooLong: "The trailer section is longer than this server accepts."
    case .forbiddenTrailer: "The trailer section names a field that frames or routes the message."
    }
  }
}
