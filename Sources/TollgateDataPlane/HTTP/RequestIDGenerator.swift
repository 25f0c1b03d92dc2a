import Synchronization

/// Names for requests: unique in this worker by a counter, among workers by a random beginning. They carry no secret.
package final class RequestIDGenerator: Sendable {
    /// What all names of this worker begin with.
    package let workerID: String

    private let prefix: String
    private let counter = Atomic<UInt64>(0)

    package init() {
        workerID = String(UInt64.random(in: 0x1000_0000_0000...0xffff_ffff_ffff), radix: 16)
        prefix = workerID + "-"
    }

    /// Such as `9f86d081884c-2a`.
    package func next() -> String {
        prefix + String(counter.wrappingAdd(1, ordering: .relaxed).newValue, radix: 16)
    }
}
