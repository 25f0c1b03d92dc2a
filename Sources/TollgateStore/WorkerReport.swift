import TollgateCore

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

    /// Counts are taken as the nearest that there can be: another worker's report may be anybody's.
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

/// The fields of the hash `worker:{id}`, for people as well. Every report writes all of them.
extension WorkerReport {
    /// Field, value, field, value, …
    var fields: [String] {
        [
            "id", identity.id, "version", identity.version, "host", identity.host, "pid", "\(identity.processID)",
            "address", address, "startedAt", identity.startedAt.iso8601, "seenAt", seenAt.iso8601,
            "requestsPerSecond", "\(traffic.requestsPerSecond)", "admitted", "\(traffic.admitted)",
            "refused", traffic.refusedText, "draining", isDraining ? "yes" : "no",
        ]
    }

    /// Reads what HGETALL answers. Nil when something is missing that every report has: the worker has gone meanwhile.
    init?(fields texts: [String]) {
        var values: [String: String] = [:]
        for index in stride(from: 0, to: texts.count - 1, by: 2) { values[texts[index]] = texts[index + 1] }
        func moment(_ name: String) -> UnixTime? { values[name].flatMap { UnixTime(iso8601: $0) } }
        guard let id = values["id"], let startedAt = moment("startedAt"), let seenAt = moment("seenAt") else {
            return nil
        }
        self.init(
            identity: WorkerIdentity(
                id: id, version: values["version"] ?? "", host: values["host"] ?? "",
                processID: values["pid"].flatMap { Int($0) } ?? 0, startedAt: startedAt),
            seenAt: seenAt, address: values["address"] ?? "",
            traffic: WorkerTraffic(
                requestsPerSecond: values["requestsPerSecond"].flatMap { Double($0) } ?? 0,
                admitted: values["admitted"].flatMap { Int($0) } ?? 0, refusedText: values["refused"] ?? ""),
            isDraining: values["draining"] == "yes")
    }
}

extension WorkerTraffic {
    /// Such as `quota-exceeded=3 rate-limit-exceeded=12`.
    fileprivate var refusedText: String {
        refused.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }

    fileprivate init(requestsPerSecond: Double, admitted: Int, refusedText: String) {
        let pairs = refusedText.split(separator: " ").compactMap { pair -> (String, Int)? in
            let parts = pair.split(separator: "=")
            guard parts.count == 2, let count = Int(parts[1]) else { return nil }
            return (String(parts[0]), count)
        }
        self.init(
            requestsPerSecond: requestsPerSecond, admitted: admitted,
            refused: Dictionary(pairs) { first, _ in first })
    }
}
