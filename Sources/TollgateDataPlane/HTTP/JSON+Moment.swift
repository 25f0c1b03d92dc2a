package import JSONValue
package import TollgateCore

extension JSON {
    /// ISO 8601 in UTC, or null.
    package static func moment(_ time: UnixTime?) -> JSON { .text(time?.iso8601) }
}
