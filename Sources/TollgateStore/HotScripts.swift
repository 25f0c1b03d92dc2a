import RedisClient
import TollgateCore

extension RedisAdmissionStore {
    /// The scripts that requests take, for the handshake of a connection: a Redis that has just started, or taken
    /// another's place, knows them before the first call. The others travel with a call when Redis does not know them.
    ///
    /// - Parameter comparesClocks: Whether the store goes by the clock of Redis.
    package static func hotScripts(plans: PlanTable, comparesClocks: Bool) -> [RedisScript] {
        [
            AdmissionArguments.script(plans, comparesClocks: comparesClocks), RedisScript.Call.settleScript.script,
            RedisScript.Call.renewScript.script,
        ]
    }
}
