/// The answer of an ``IdempotentCall`` that has finished, kept for as long as the call is remembered: a repeat gets it
/// again.
package struct StoredAnswer: Sendable, Hashable {
    package static let maximumHeadBytes = 16 * 1024
    package static let maximumBodyBytes = 64 * 1024

    /// Answers that are kept of one user, and their bytes together. Beyond them the oldest are forgotten.
    package static let maximumCount = 100
    package static let maximumTotalBytes = 1024 * 1024

    package let status: Int

    /// Its first line and the fields that are the same for every repeat, as they travel.
    package let head: [UInt8]
    package let body: [UInt8]

    /// Fails when the head or the body is too long.
    package init?(status: Int, head: [UInt8], body: [UInt8]) {
        guard head.count <= Self.maximumHeadBytes, body.count <= Self.maximumBodyBytes else { return nil }
        self.status = status
        self.head = head
        self.body = body
    }
}
