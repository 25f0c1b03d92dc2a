package import TollgateCore

/// When the key set is loaded again, and which keys are believed meanwhile.
///
/// Any client can send a token that names an unknown key, or that carries a bad signature. Each could be the first
/// sign of a rotation, so each is a reason to load the set again; but clients must not decide how often Clerk is
/// asked. Hence:
///
/// - Loads that tokens cause begin at least ``minimumSecondsBetweenLoads`` apart, and one at a time.
/// - A name that a fresh set did not hold is remembered for ``unknownNameSeconds``, and causes nothing meanwhile.
/// - A load that fails changes nothing: the keys that were loaded last stay good.
///
/// No clock, no network: the time is an argument, and the caller does what the ``Decision`` says.
package struct KeyRingPolicy<Key: Equatable & Sendable>: Sendable {
    /// The least time between two loads that tokens cause.
    static var minimumSecondsBetweenLoads: Int64 { 5 }
    /// How long a name counts as unknown.
    static var unknownNameSeconds: Int64 { 30 }

    /// How many unknown names are remembered, so that inventing names fills no memory.
    package static var maximumUnknownNames: Int { 256 }

    /// What is known of a name.
    package enum Answer: Equatable, Sendable {
        /// The key, and the epoch that what it verified belongs to.
        case key(Key, epoch: Int)

        /// The key set is known and this name is not in it.
        case unknown

        /// No key set could ever be loaded.
        case unavailable
    }

    /// What the caller does next.
    package enum Decision: Equatable, Sendable {
        case answer(Answer)

        /// Load the key set, report to ``finishLoad(_:)``, then ask ``settle(_:otherThan:at:)``.
        case load

        /// Another caller loads. Wait for that, then ask ``settle(_:otherThan:at:)``.
        case wait
    }

    /// Grows whenever a key is lost: what was verified in an earlier epoch may not be believed any longer.
    package private(set) var epoch = 0

    private var keys: [String: Key]?

    /// Whether any set has been loaded yet.
    var isLoaded: Bool { keys != nil }

    private var isLoading = false

    /// How the load that finished last went.
    package private(set) var lastLoadSucceeded = false

    private var lastLoadBegan: UnixTime?
    private var unknownNames: [String: UnixTime] = [:]

    /// Nothing is loaded yet.
    package init() {}

    /// Looks for the key `name`. A `rejected` key has just failed to verify a signature: only another one under the
    /// same name will do.
    package mutating func find(_ name: String, otherThan rejected: Key? = nil, at now: UnixTime) -> Decision {
        if let answer = current(name, otherThan: rejected) { return .answer(answer) }
        if rejected == nil, isKnownToBeUnknown(name, at: now) { return .answer(.unknown) }
        if isLoading { return .wait }
        if let lastLoadBegan, Self.isWithin(Self.minimumSecondsBetweenLoads, lastLoadBegan, now) {
            return .answer(absence)
        }
        return beginLoad(at: now)
    }

    /// Begins a load whether or not a token asks for one, unless one is under way.
    package mutating func beginLoad(at now: UnixTime) -> Decision {
        guard !isLoading else { return .wait }
        isLoading = true
        lastLoadBegan = now
        return .load
    }

    /// Takes the set that was loaded, or nil when that failed. True when a key was lost and ``epoch`` grew.
    package mutating func finishLoad(_ loaded: [String: Key]?) -> Bool {
        isLoading = false
        lastLoadSucceeded = loaded != nil
        guard let loaded else { return false }
        let isAnyLost = (keys ?? [:]).contains { name, key in loaded[name] != key }
        keys = loaded
        if isAnyLost { epoch += 1 }
        return isAnyLost
    }

    /// The last word on a ``Decision/load`` or ``Decision/wait``, after that load.
    package mutating func settle(_ name: String, otherThan rejected: Key? = nil, at now: UnixTime) -> Answer {
        if let answer = current(name, otherThan: rejected) { return answer }
        if lastLoadSucceeded, keys?[name] == nil { remember(unknown: name, at: now) }
        return absence
    }

    private var absence: Answer { keys == nil ? .unavailable : .unknown }

    private func current(_ name: String, otherThan rejected: Key?) -> Answer? {
        guard let key = keys?[name], key != rejected else { return nil }
        return .key(key, epoch: epoch)
    }

    private func isKnownToBeUnknown(_ name: String, at now: UnixTime) -> Bool {
        guard let since = unknownNames[name] else { return false }
        return Self.isWithin(Self.unknownNameSeconds, since, now)
    }

    private mutating func remember(unknown name: String, at now: UnixTime) {
        if unknownNames.count >= Self.maximumUnknownNames {
            unknownNames = unknownNames.filter { Self.isWithin(Self.unknownNameSeconds, $0.value, now) }
        }
        // Still full: a client invents names. Forgetting them all costs no load, those have their own limit.
        if unknownNames.count >= Self.maximumUnknownNames { unknownNames = [:] }
        unknownNames[name] = now
    }

    /// Also when the clock was set back in between: then the distance counts, so that nothing is blocked for long.
    private static func isWithin(_ seconds: Int64, _ earlier: UnixTime, _ now: UnixTime) -> Bool {
        (now.milliseconds - earlier.milliseconds).magnitude < UInt64(seconds) * 1000
    }
}
