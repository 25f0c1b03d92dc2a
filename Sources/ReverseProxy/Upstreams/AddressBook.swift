import NIOCore

/// What is known of the addresses of one name, and when it is to be asked for again. Pure: times are in nanoseconds of
/// a clock that never goes back.
struct AddressBook {
    private(set) var addresses: [SocketAddress]

    /// Differs when other addresses are known.
    private(set) var generation = 0

    /// Nil for an address, which is never looked up.
    private var isGoodUntil: UInt64?
    private let lifetime: UInt64
    private var isDoubted: Bool
    private var isLookingUp = false
    private var turn = 0

    /// - Parameters:
    ///   - host: A name, or an address that stands for itself.
    ///   - lifetime: How long an answer is good.
    init(host: String, port: Int, lifetime: UInt64) {
        self.lifetime = lifetime
        if let address = try? SocketAddress(ipAddress: host, port: port) {
            (addresses, isGoodUntil, isDoubted) = ([address], nil, false)
        } else {
            (addresses, isGoodUntil, isDoubted) = ([], 0, true)
        }
    }

    /// Whether to connect waits for a lookup. An answer that is only old serves until there is a newer one.
    var isUsable: Bool { !isDoubted }

    /// Whether a lookup is to begin now.
    mutating func beginsLookup(at now: UInt64) -> Bool {
        guard let isGoodUntil, !isLookingUp, isDoubted || now >= isGoodUntil else { return false }
        isLookingUp = true
        return true
    }

    /// A lookup has ended. One that found nothing changes nothing: a name server that is away takes no upstream with
    /// it.
    ///
    /// - Returns: Whether other addresses are known than before.
    mutating func lookedUp(_ found: [SocketAddress], at now: UInt64) -> Bool {
        (isLookingUp, isDoubted) = (false, false)
        isGoodUntil = now + lifetime
        guard !found.isEmpty, Set(found) != Set(addresses) else { return false }
        addresses = found
        generation += 1
        return true
    }

    /// A connection failed: perhaps the name leads elsewhere by now.
    mutating func doubt() { if isGoodUntil != nil { isDoubted = true } }

    /// The addresses in the order in which they are to be tried. Each one is the first in turn, so that connections are
    /// spread over all of them.
    mutating func next() -> [SocketAddress] {
        guard addresses.count > 1 else { return addresses }
        let first = turn % addresses.count
        turn = first + 1
        return Array(addresses[first...] + addresses[..<first])
    }
}
