package import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// How the process' file descriptors are shared out, so that clients can never take those that the gateway itself
/// cannot do without.
package struct DescriptorBudget: Sendable, Hashable {
    /// Clients that may be connected at once.
    package let clientConnections: Int

    /// Connections to the admin port.
    package let adminConnections: Int

    /// Descriptors with this number and above are kept for Redis, the admin port, files and calls of Clerk and Stripe.
    /// The system always gives out the lowest that is free, so a higher one shows that the others are used up.
    package let reservedFrom: Int

    /// More are used only when the configuration says so: each takes memory, too.
    private static let usualClientConnections = 65_536

    /// - Parameters:
    ///   - limit: Descriptors that the process may have.
    ///   - wantedConnections: What the configuration says. Nil takes half of what there is: a request may need a
    ///     connection to an upstream as well.
    package init(limit: Int, eventLoops: Int, wantedConnections: Int?) {
        adminConnections = max(4, min(64, limit / 12))
        // Each loop's connection to Redis, and the one that replaces it; files, names and calls of other services.
        let reserve = adminConnections + 2 * eventLoops + 32
        reservedFrom = max(limit - reserve, limit / 2)
        // Open all the time: what each loop waits with, the ports, the standard streams.
        let free = max(2, reservedFrom - 3 * eventLoops - 16)
        clientConnections = min(wantedConnections ?? min(free / 2, Self.usualClientConnections), free - 1)
    }

    /// Tells the operator when fewer clients may be connected than the configuration says.
    package func logShortfall(of wantedConnections: Int?, to logger: Logger) {
        guard let wantedConnections, wantedConnections > clientConnections else { return }
        logger.warning(
            "fewer connections than configured",
            metadata: [
                "wanted": "\(wantedConnections)", "inForce": "\(clientConnections)",
                "remedy": "raise the limit of open files, or lower TOLLGATE_MAX_CONNECTIONS",
            ])
    }

    /// Descriptors that the process may have, once the limit was raised as far as it may raise it by itself.
    package static let processLimit: Int = {
        let descriptors = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limits = rlimit()
        // Unsafe: the kernel fills in the structure that it is given for the call.
        guard unsafe getrlimit(descriptors, &limits) == 0 else { return lowestLimit }
        let highest = rlim_t(highestLimit)
        var raised = limits
        raised.rlim_cur = min(limits.rlim_max, max(limits.rlim_cur, highest))
        // Unsafe: the kernel reads the structure that it is given for the call.
        let isRaised = unsafe setrlimit(descriptors, &raised) == 0
        return Int(min(isRaised ? raised.rlim_cur : limits.rlim_cur, highest))
    }()

    /// What POSIX grants to every process.
    private static let lowestLimit = 20

    /// More are of no use to one process.
    private static let highestLimit = 1 << 20
}
