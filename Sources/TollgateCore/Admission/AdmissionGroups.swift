/// Which admissions of one event loop go to the store together: those that are alike in everything that the store is
/// asked, so that one call can decide on all of them, as a database commits several transactions with one write.
///
/// Requests that arrive in one tick of the loop go together. While a call of their kind is under way, those that follow
/// wait for its reply, but no longer than a limit. A request that is alone waits for no company. The store decides on a
/// group after all of its requests have arrived: a limit, a plan and a revocation hold as soon as for a request that
/// goes alone.
///
/// A value without loop, store and clock.
package struct AdmissionGroups {
    /// What is to be told the decision.
    package typealias Caller = (Result<AdmissionDecision, StoreUnavailable>) -> Void

    /// Requests that are alike, in the order in which they arrived.
    ///
    /// A class, because it grows while it is held, and goes along with the call.
    package final class Group {
        /// What all of them ask: the request that came first.
        package let request: AdmissionRequest
        package let first: Caller

        /// Those after the first one, each with the request that it has itself.
        package fileprivate(set) var others: [(request: AdmissionRequest, caller: Caller)] = []

        /// Whether all of them come from the same address.
        package fileprivate(set) var hasOneAddress = true

        fileprivate let line: Line

        fileprivate init(_ request: AdmissionRequest, _ first: @escaping Caller, of line: Line) {
            self.request = request
            self.first = first
            self.line = line
        }

        package var count: Int { 1 + others.count }

        fileprivate func append(_ request: AdmissionRequest, _ caller: @escaping Caller) {
            if hasOneAddress, request.network?.client != self.request.network?.client { hasOneAddress = false }
            others.append((request, caller))
        }
    }

    /// Requests of one kind.
    fileprivate final class Line {
        let kind: AdmissionKind

        /// The group that further requests join.
        var open: Group?
        var callsUnderWay = 0
        var isTouched = false

        /// Since when `open` has waited for a reply.
        var heldSince: Int64?

        init(_ kind: AdmissionKind) { self.kind = kind }
    }

    /// Keys that are remembered to be bound to addresses.
    private static let maximumBound = 1024

    private let maximumCount: Int
    private let maximumWait: Int64

    /// Those whose key is bound to addresses, and which may come from several: requests of one address go together.
    private var bound: [ObjectIdentifier: Principal] = [:]

    /// Those of which a call is under way or a group is open.
    private var lines: [AdmissionKind: Line] = [:]

    /// Those that something has happened to in this tick.
    private var touched: [Line] = []

    /// Those that leave at the end of this tick, and how many of them have left.
    private var closed: [Group] = []
    private var departed = 0

    /// Those whose groups wait for a reply, in the order in which they began to.
    private var held: [(line: Line, since: Int64)] = []

    /// - Parameters:
    ///   - maximumCount: How many requests one call decides on at most, from 1.
    ///   - maximumWait: How long a group waits for the reply to the call before it, in nanoseconds. Where Redis is far
    ///     away, its requests would else take twice as long as one that is alone.
    package init(maximumCount: Int, maximumWait: Int64) {
        self.maximumCount = maximumCount
        self.maximumWait = maximumWait
    }

    /// Whether ``endTick(at:)`` is to be called.
    package var awaitsEndOfTick: Bool { !touched.isEmpty || !closed.isEmpty }

    /// A request has arrived, one that ``AdmissionRequest/mayShareCall``.
    package mutating func join(_ request: AdmissionRequest, _ caller: @escaping Caller) {
        let line = line(of: kind(of: request))
        // A group is of one second, which is the time of each of its requests.
        if let open = line.open, open.request.time != request.time { close(open) }
        let group: Group
        if let open = line.open {
            open.append(request, caller)
            group = open
        } else {
            group = Group(request, caller, of: line)
            line.open = group
        }
        if group.count >= maximumCount { close(group) } else { touch(line) }
    }

    /// The key of `principal` is bound to addresses: from now on its requests are told apart by them.
    package mutating func isBound(_ principal: Principal) {
        if bound.count >= Self.maximumBound { bound.removeAll() }
        bound[ObjectIdentifier(principal)] = principal
    }

    private func kind(of request: AdmissionRequest) -> AdmissionKind {
        let isBound = !bound.isEmpty && bound[ObjectIdentifier(request.principal)] != nil
        return AdmissionKind(request, address: isBound ? request.network?.client : nil)
    }

    private mutating func line(of kind: AdmissionKind) -> Line {
        if let line = lines[kind] { return line }
        let line = Line(kind)
        lines[kind] = line
        return line
    }

    private mutating func close(_ group: Group) {
        closed.append(group)
        let line = group.line
        line.callsUnderWay += 1
        line.open = nil
        line.heldSince = nil
    }

    private mutating func touch(_ line: Line) {
        guard !line.isTouched else { return }
        line.isTouched = true
        touched.append(line)
    }

    /// The call that decided on `group` has ended.
    package mutating func answered(_ group: Group) {
        let line = group.line
        line.callsUnderWay -= 1
        if line.open != nil {
            touch(line)
        } else if line.callsUnderWay == 0 {
            lines[line.kind] = nil
        }
    }

    /// The tick of the event loop ends: ``nextLeaving()`` has the groups that leave.
    ///
    /// - Parameter now: Of a clock that never goes back, in nanoseconds. Only read when a group has to wait.
    package mutating func endTick(at now: @autoclosure () -> Int64) {
        for line in touched {
            line.isTouched = false
            guard let open = line.open else { continue }
            if line.callsUnderWay == 0 {
                close(open)
            } else if line.heldSince == nil {
                let now = now()
                line.heldSince = now
                held.append((line, now))
            }
        }
        touched.removeAll(keepingCapacity: true)
    }

    /// The next group that leaves. Nil when all have left.
    package mutating func nextLeaving() -> Group? {
        guard departed < closed.count else {
            closed.removeAll(keepingCapacity: true)
            departed = 0
            return nil
        }
        defer { departed += 1 }
        return closed[departed]
    }

    /// When ``endWait(at:)`` is to be called. Nil while no group waits.
    package var nextWaitEnd: Int64? { held.first.map { $0.since + maximumWait } }

    /// Groups that have waited long enough leave at the end of this tick.
    package mutating func endWait(at now: Int64) {
        let count = held.prefix { $0.since + maximumWait <= now }.count
        for (line, since) in held.prefix(count) {
            // That group may have left, and another one wait since.
            if line.heldSince == since, let open = line.open { close(open) }
        }
        held.removeFirst(count)
    }
}

extension AdmissionRequest {
    /// Whether one call of the store can decide on this request together with others like it. What is remembered of a
    /// request by itself, and what may be admitted without being charged, is decided on alone.
    package var mayShareCall: Bool { idempotentCall == nil && reservation == nil && quotaPolicy == .enforce }
}

/// What two admissions have to have in common to be decided on together, except the second in which they come.
private struct AdmissionKind: Hashable {
    private let request: AdmissionRequest

    /// Nil unless the key is known to be bound to addresses, as few are.
    private let address: IPAddress?

    init(_ request: AdmissionRequest, address: IPAddress?) {
        self.request = request
        self.address = address
    }

    /// Principals are remembered: the same credential is the same object, most of the time. One that is not goes alone.
    static func == (left: Self, right: Self) -> Bool {
        guard left.address == right.address else { return false }
        let (left, right) = (left.request, right.request)
        return left.principal === right.principal && left.cost == right.cost && left.route == right.route
            && left.requiredScopes == right.requiredScopes && left.routeLimit == right.routeLimit
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(request.principal))
        hasher.combine(request.route)
        if let address { hasher.combine(address) }
    }
}
