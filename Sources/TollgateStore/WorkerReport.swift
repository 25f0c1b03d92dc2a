package import TollgateCore

/// What a worker tells of itself, every few seconds.
package struct WorkerReport: Sendable, Hashable {
    package let identity: WorkerIdentity

    /// When it was written.
    package let seenAt: UnixTime

    /// Where the public port is, such as `0.0.0.0:8080`.
    package let address: String

    package let traffic: WorkerTraffic

    /// The worker is on its way out: it serves what comes, and wants no more.
    package let isDraining: Bool

    package init(
        identity: WorkerIdentity, seenAt: UnixTime, address: String, traffic: WorkerTraffic, isDraining: Bool
    ) {
        self.identity = identity
        self.seenAt = seenAt
        self.address = address
        self.traffic = traffic
        self.isDraining = isDraining
    }
}

/// What stays the same as long as a worker lives.
package struct WorkerIdentity: Sendable, Hashable {
    /// Random; its request ids begin with it.
    package let id: String
    package let version: String
    package let host: String
    package let processID: Int
    package var startedAt: UnixTime

    package init(id: String, version: String, host: String, processID: Int, startedAt: UnixTime) {
        self.id = id
        self.version = version
        self.host = host
        self.processID = processID
        self.startedAt = startedAt
    }
}

/// How much a worker has had to do.
package struct WorkerTraffic: Sendable, Hashable {
    /// Requests answered per second, between the last two reports; to a tenth.
    package var requestsPerSecond: Double

    /// Calls admitted in the last minute.
    package var admitted: Int

    /// Calls refused in the last minute, by the `code` of the answer. Reasons without a refusal are left out.
    package var refused: [String: Int]

    package static let none = WorkerTraffic(requestsPerSecond: 0, admitted: 0, refused: [:])

    /// Counts are taken as the nearest that there can be: any client of Redis may have written the report.
    package init(requestsPerSecond: Double, admitted: Int, refused: [String: Int]) {
        let rate = requestsPerSecond.isFinite ? requestsPerSecond.clamped(to: 0...Self.highestRate) : 0
        self.requestsPerSecond = (rate * 10).rounded() / 10
        self.admitted = admitted.clamped(to: Self.counts)
        self.refused = refused.mapValues { $0.clamped(to: Self.counts) }.filter { $0.value > 0 }
    }

    private static let counts = 0...UsageSnapshot.countRange.upperBound

    /// More than any number of workers has to do.
    private static let highestRate = 1e12

    /// What several workers have had to do together.
    package static func + (left: Self, right: Self) -> Self {
        WorkerTraffic(
            requestsPerSecond: left.requestsPerSecond + right.requestsPerSecond,
            admitted: left.admitted + right.admitted, refused: left.refused.merging(right.refused) { $0 + $1 })
    }
}

// MARK: The hash

extension WorkerReport {
    /// The fields of the hash `worker:{id}`, for people as well. Every report writes all of them.
    static let schema = HashSchema(
        WorkerReport.init(identity:seenAt:address:traffic:isDraining:),
        HashRow(\.identity, WorkerIdentity.schema),
        HashRow(\.seenAt, "seenAt", .moment),
        HashRow(\.address, "address", .orElse("", .text)),
        HashRow(\.traffic, WorkerTraffic.schema),
        HashRow(\.isDraining, "draining", .yesOrNo))
}

extension WorkerIdentity {
    fileprivate static let schema = HashSchema(
        WorkerIdentity.init(id:version:host:processID:startedAt:),
        HashRow(\.id, "id", .text),
        HashRow(\.version, "version", .orElse("", .text)),
        HashRow(\.host, "host", .orElse("", .text)),
        HashRow(\.processID, "pid", .orElse(0, .number)),
        HashRow(\.startedAt, "startedAt", .moment))
}

extension WorkerTraffic {
    fileprivate static let schema = HashSchema(
        WorkerTraffic.init(requestsPerSecond:admitted:refused:),
        HashRow(\.requestsPerSecond, "requestsPerSecond", .orElse(0, .number)),
        HashRow(\.admitted, "admitted", .orElse(0, .number)),
        HashRow(\.refused, "refused", .counts))
}

extension FieldCoding where Value == [String: Int] {
    /// Such as `quota-exceeded=3 rate-limit-exceeded=12`.
    fileprivate static let counts = FieldCoding(
        write: { counts in counts.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ") },
        read: { text in
            let pairs = (text ?? "").split(separator: " ").compactMap { pair -> (String, Int)? in
                let parts = pair.split(separator: "=")
                guard parts.count == 2, let count = Int(parts[1]) else { return nil }
                return (String(parts[0]), count)
            }
            return Dictionary(pairs) { first, _ in first }
        })
}
