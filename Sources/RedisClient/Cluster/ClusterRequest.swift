import Hiredis
import NIOCore

/// A command or a script's call on its way to the server of its slot. A server that did not carry it out may send it
/// elsewhere, or it waits and is tried again; once it was carried out, or may have been, it never is.
struct ClusterRequest {
    enum Work {
        case command(RedisCommand)
        case script(any ScriptCall)
    }

    /// Where it goes.
    enum Destination: Hashable {
        /// To the primary that keeps the slot.
        case slot(HashSlot)

        /// To any primary.
        case anyPrimary

        /// To this server alone.
        case node(HostAndPort)
    }

    let work: Work
    let waiter: ReplyWaiter
    let destination: Destination
    let identifier: UInt64

    /// It is sent for the last time before.
    let deadline: NIODeadline

    /// How often a server has sent it elsewhere.
    var redirections = 0

    /// Why it was not carried out so far.
    var reason = RedisError.notConnected("the cluster's servers are not known yet")

    func fail(_ error: RedisError) { waiter.fail(error) }

    /// A script may touch several keys, and none runs while its slot is being moved (``MigrationWitness``).
    var isScript: Bool { if case .command = work { false } else { true } }
}
