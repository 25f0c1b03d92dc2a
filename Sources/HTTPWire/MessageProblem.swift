/// Why bytes are no HTTP/1.1 message that a gateway may take. What could be read in two ways is refused, since the
/// next server might read it in the other (RFC 9112, section 11.2).
package enum MessageProblem: String, Error, Sendable, Hashable, CaseIterable {
    case startLine = "the first line is not that of an HTTP/1.1 message"
    case version = "the version is not one that HTTP/1.1 knows how to write"
    case majorVersion = "the major version is not 1"
    case http2Preface = "this is HTTP/2"
    case bareLineFeed = "a line ends without a carriage return"
    case fieldName = "a field's name holds something that no name has, such as a blank"
    case fieldValue = "a field's value holds a control character"
    case foldedField = "a field goes on in a second line, which HTTP/1.1 forbids"
    case headTooLarge = "the head is too large"
    case tooManyFields = "there are too many fields"
    case ambiguousFraming = "Content-Length and Transfer-Encoding do not say in one way where the body ends"
    case host = "Host is missing, sent twice, or no host"
    case chunk = "a chunk of the body is malformed"
    case trailers = "the trailer fields are malformed or too long"
    case truncated = "the connection was closed before the message was complete"
}
