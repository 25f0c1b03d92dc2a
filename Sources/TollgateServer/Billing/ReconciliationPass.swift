import Logging
import OutboundCalls
import StripeBilling
import TollgateCore
import TollgateDataPlane

/// What a reconciliation has found so far.
struct ReconciliationFindings: Sendable, Hashable {
    var checked = 0
    var mended = 0

    /// Subscriptions that no user is known for, that sell no plan, or that ended before anything was known of them.
    var others = 0

    /// Subscriptions that are known, and that Stripe does not know. Their users keep the plan, for it may be the key of
    /// another account that was asked with.
    var missing = 0

    /// Those that could not be read or settled, and of which Clerk could not be told. The others were.
    var failures = 0

    fileprivate mutating func add(_ outcome: SubscriptionLook.Outcome) {
        checked += 1
        switch outcome {
        case .applied: mended += 1
        case .known, .stale: break
        case .foreign, .unknownUser: others += 1
        }
    }
}

/// One reconciliation: looks at all subscriptions that there is a reason to look at, a few at a time.
///
/// A page of them is in memory at a time, however many there are. One that cannot be settled does not keep the others.
struct ReconciliationPass: Sendable {
    let look: SubscriptionLook
    let stripe: StripeClient
    let logger: Logger

    /// Called after each page. Keeps the turn, or throws to break off.
    let goOn: @Sendable (ReconciliationFindings) async throws(WebhookFailure) -> Void

    private(set) var findings = ReconciliationFindings()

    /// Since when all that Stripe lists is looked at. Nil when it is not gone through.
    private var listedSince: UnixTime?

    init(
        look: SubscriptionLook, stripe: StripeClient, logger: Logger,
        goOn: @escaping @Sendable (ReconciliationFindings) async throws(WebhookFailure) -> Void
    ) {
        self.look = look
        self.stripe = stripe
        self.logger = logger
        self.goOn = goOn
    }

    /// Users that are looked after at the same time.
    private static let concurrency = 8

    /// Subscriptions of a page of those that are overdue.
    private static let pageSize = 100

    /// Subscriptions of events that are remembered, not to be looked at again: events of one come together.
    private static let rememberedSubscriptions = 10_000

    // MARK: Reasons to look

    /// Looks at the subscriptions of events that were not delivered.
    ///
    /// - Returns: False when Stripe refuses to tell. A key that may not read events is no reason to do all else again and
    ///   again.
    mutating func lookAtUndelivered(since moment: UnixTime) async throws(WebhookFailure) -> Bool {
        var cursor = StripeListCursor()
        var seen: Set<String> = []
        repeat {
            let page: StripePage<StripeEvent?>
            do {
                page = try await stripe.undeliveredEvents(since: moment, after: cursor.last)
            } catch {
                guard [400, 403, 404].contains(error.httpStatus) else { throw .stripe(error) }
                logger.warning(
                    "Stripe does not tell which events were not delivered; the key must be allowed to read events",
                    metadata: ["cause": "\(error)"])
                return false
            }
            if seen.count > Self.rememberedSubscriptions { seen = [] }
            let changes = page.elements.compactMap { event -> SubscriptionChange? in
                guard let event, event.isLive == stripe.isLive, case .subscriptionChanged(let change) = event.meaning,
                    !seen.contains(change.subject)
                else { return nil }
                return change
            }
            // Of the events of one, an older one may say whose it is.
            let subjects = try await unsettled(Dictionary(grouping: changes, by: \.subject).values.map(\.self))
            let outcomes = try await settle(subjects, together: { $0[0].facts.customerID ?? $0[0].eventID }) {
                [look] changes async throws(WebhookFailure) in
                for change in changes {
                    let outcome = try await look.look(atReasonGivenBy: change, writesWhatIsKnown: false)
                    if outcome != .unknownUser { return outcome }
                }
                return .unknownUser
            }
            for (changes, outcome) in outcomes where outcome != .unknownUser { seen.insert(changes[0].subject) }
            try advance(&cursor, to: page.next)
            try await goOn(findings)
        } while cursor.last != nil
        return true
    }

    /// Without those that the list of all subscriptions has just told of: with each of many, Stripe would be asked twice.
    ///
    /// Stripe's clock is another than the one that the list goes by. An event that is passed over for that is looked at by
    /// the next run, which looks back further than clocks differ.
    private func unsettled(
        _ subjects: [[SubscriptionChange]]
    ) async throws(WebhookFailure) -> [[SubscriptionChange]] {
        guard let listedSince else { return subjects }
        var remaining: [[SubscriptionChange]] = []
        for changes in subjects {
            var isSettled = true
            for change in changes where isSettled {
                isSettled = change.eventTime < listedSince
                if isSettled {
                    isSettled = try await persistently { [look] () async throws(WebhookFailure) in
                        try await look.isSettled(change)
                    }
                }
            }
            if !isSettled { remaining.append(changes) }
        }
        return remaining
    }

    /// Looks at the subscriptions whose period has been over for a day, and of which no event has told what followed.
    mutating func lookAtOverdue(at now: UnixTime) async throws(WebhookFailure) {
        let limit = now.adding(seconds: -SubscriptionLook.patienceSeconds)
        while true {
            let ids = try await storedPersistently { [look] () async throws(StoreUnavailable) in
                try await look.subscriptions.overdueSubscriptions(before: limit, maximumCount: Self.pageSize)
            }
            guard !ids.isEmpty else { return }
            // Tomorrow again, whatever becomes of them now.
            for id in ids {
                try await storedPersistently { [look] () async throws(StoreUnavailable) in
                    try await look.subscriptions.expectEnd(of: id, at: now)
                }
            }
            let missing = findings.others
            try await settle(ids, together: { $0 }) { [look] id async throws(WebhookFailure) in
                try await look.look(at: id, writesWhatIsKnown: false)
            }
            findings.missing += findings.others - missing
            try await goOn(findings)
        }
    }

    /// Looks at live subscriptions whose price sold no plan, and sells one by the plan table that is in force: after a change
    /// of the table, and when a worker that had not read it yet has looked at them.
    mutating func lookAtUnpriced() async throws(WebhookFailure) {
        let ids = try await storedPersistently { [look] () async throws(StoreUnavailable) in
            try await look.subscriptions.unpricedSubscriptions(maximumCount: Self.pageSize).ids
        }
        var sold: [String] = []
        for id in ids
        where try await persistently({ [look] () async throws(WebhookFailure) in
            try await look.isSold(id)
        }) {
            sold.append(id)
        }
        try await settle(sold, together: { $0 }) { [look] id async throws(WebhookFailure) in
            try await look.look(at: id, writesWhatIsKnown: false)
        }
    }

    /// Looks at all subscriptions that Stripe has.
    mutating func goThroughAll() async throws(WebhookFailure) {
        var cursor = StripeListCursor()
        repeat {
            let seenAt = try await beginningOfPage(after: cursor.last)
            listedSince = listedSince ?? seenAt
            let page: StripePage<SubscriptionFacts?>
            page = try await persistently { [stripe, last = cursor.last] () async throws(WebhookFailure) in
                do throws(CallError) {
                    return try await stripe.subscriptions(after: last)
                } catch {
                    throw .stripe(error)
                }
            }
            let readable = page.elements.compactMap(\.self)
            if readable.count < page.elements.count {
                findings.failures += page.elements.count - readable.count
                logger.error("a subscription of Stripe's cannot be read")
            }
            try await settle(readable, together: { $0.userID?.value ?? $0.customerID ?? $0.subscriptionID ?? "" }) {
                [look] facts async throws(WebhookFailure) in
                let outcome = try await look.take(facts, seenAt: seenAt)
                // It was looked at just now, and has perhaps changed since.
                guard outcome == .stale, let id = facts.subscriptionID else { return outcome }
                return try await look.look(at: id, writesWhatIsKnown: false)
            }
            try advance(&cursor, to: page.next)
            try await goOn(findings)
        } while cursor.last != nil
    }

    private func advance(_ cursor: inout StripeListCursor, to next: String?) throws(WebhookFailure) {
        do { try cursor.advance(to: next) } catch { throw .stripe(error) }
    }

    /// When a page is asked for. A second early, for each server of a cluster has its own clock: a look at a single
    /// subscription, which goes by the right one, is never undone by a page that was made before.
    private func beginningOfPage(after last: String?) async throws(WebhookFailure) -> UnixTime {
        try await storedPersistently { () async throws(StoreUnavailable) in
            try await look.subscriptions.now(for: last ?? "").adding(seconds: -1)
        }
    }

    // MARK: A page

    /// Looks at each, those that are `together` one after the other, and counts what becomes of them.
    ///
    /// - Returns: What has become of those that could be settled.
    @discardableResult
    private mutating func settle<Element: Sendable>(
        _ elements: [Element], together key: (Element) -> String,
        _ look: @escaping @Sendable (Element) async throws(WebhookFailure) -> SubscriptionLook.Outcome
    ) async throws(WebhookFailure) -> [(Element, SubscriptionLook.Outcome)] {
        typealias Results = [(Element, Result<SubscriptionLook.Outcome, WebhookFailure>)]
        let (results, obstacle) = await withTaskGroup(of: Results.self) { tasks in
            var waiting = Dictionary(grouping: elements, by: key).values.makeIterator()
            func begin() {
                guard let group = waiting.next() else { return }
                tasks.addTask {
                    var results: Results = []
                    for element in group {
                        do throws(WebhookFailure) {
                            let outcome = try await persistently { () async throws(WebhookFailure) in
                                try await look(element)
                            }
                            results.append((element, .success(outcome)))
                        } catch {
                            results.append((element, .failure(error)))
                        }
                    }
                    return results
                }
            }
            for _ in 0..<Self.concurrency { begin() }
            var (all, obstacle): (Results, WebhookFailure?) = ([], nil)
            while let results = await tasks.next() {
                for case (_, .failure(let error)) in results where !error.isOfOne { obstacle = obstacle ?? error }
                all += results
                if obstacle == nil { begin() }
            }
            return (all, obstacle)
        }
        var settled: [(Element, SubscriptionLook.Outcome)] = []
        for (element, result) in results {
            switch result {
            case .success(let outcome):
                findings.add(outcome)
                settled.append((element, outcome))
            case .failure(let error) where error.isOfOne: report(error)
            case .failure: break
            }
        }
        if let obstacle { throw obstacle }
        return settled
    }

    private mutating func report(_ error: WebhookFailure) {
        findings.failures += 1
        logger.error(
            "a subscription could not be reconciled", metadata: ["cause": "\(error.apiError.cause ?? error.reason)"])
    }
}

/// Does what needs the store, and does it again when Redis was late.
@discardableResult
func storedPersistently<Value>(
    _ operation: () async throws(StoreUnavailable) -> Value
) async throws(WebhookFailure) -> Value {
    try await persistently { () async throws(WebhookFailure) in try await stored(operation) }
}

/// Does it again after a moment when Redis was late or Stripe is asked too much: a failover or a busy moment is no reason to
/// do all anew.
func persistently<Value>(
    _ operation: () async throws(WebhookFailure) -> Value
) async throws(WebhookFailure) -> Value {
    for pause in [Duration.seconds(1), .seconds(4)] {
        do {
            return try await operation()
        } catch {
            guard error.passesSoon, (try? await Task.sleep(for: pause)) != nil else { throw error }
        }
    }
    return try await operation()
}

extension WebhookFailure {
    fileprivate var passesSoon: Bool {
        switch self {
        case .store(let problem): problem.cause == .unreachable || problem.cause == .clockDiffers
        case .stripe(let problem): problem.httpStatus == 429
        case .clerk, .clerkIsBusy: false
        }
    }

    /// It concerns one subscription, or its user: the others can be settled all the same.
    fileprivate var isOfOne: Bool {
        switch self {
        case .store(let error): error.cause != .unreachable && error.cause != .clockDiffers
        case .stripe(let error): !error.isTemporary && error.kind != .cancelled && error.httpStatus != 401
        case .clerk, .clerkIsBusy: true
        }
    }
}

extension SubscriptionChange {
    /// What is to be looked at. An end and a payment are told of in ways of their own.
    fileprivate var subject: String {
        "\(kind == .deleted || kind == .customerDeleted) \(facts.subscriptionID ?? facts.paymentID ?? facts.customerID ?? eventID)"
    }
}
