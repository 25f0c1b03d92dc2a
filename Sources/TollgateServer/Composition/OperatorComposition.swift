import Logging
import RedisClient
import TollgateConfiguration
import TollgateCore
import TollgateStore

/// What operators can ask and do, put together: for the admin port of a worker, and for the command line.
struct OperatorComposition {
    let configuration: GatewayConfiguration
    let redis: RedisClient
    let billing: Billing
    let time: any TimeSource
    let logger: Logger

    var api: OperatorAPI {
        let audit = AuditTrail(log: RedisAuditLog(client: redis))
        let index = RedisUserIndex(client: redis)
        let keys = IndexedKeyStore(client: redis)
        let admissions = RedisAdmissionStore(
            client: redis, plans: configuration.plans, pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds)
        return OperatorAPI(
            [
                UserOperations(
                    index: index, data: RedisUserData(client: redis), terms: RedisOperatorStore(client: redis),
                    explanation: explanation(admissions, keys), admissions: admissions, keys: keys,
                    plans: configuration.plans, pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds,
                    audit: audit
                ).endpoints,
                KeyOperations(
                    keys: keys, credentials: RedisCredentialStore(client: redis), index: RedisKeyIndex(client: redis),
                    platformKeys: PlatformKeyOwners(client: redis), audit: audit
                ).endpoints,
                EventOperations(
                    backlog: RedisWebhookBacklog(client: redis), reconciliation: RedisReconciliation(client: redis),
                    replayer: billing.replayer, audit: audit
                ).endpoints,
                UsageOperations(
                    index: index, history: RedisUsageHistory(client: redis), topUsers: RedisTopUsers(client: redis)
                ).endpoints,
                TokenOperations(tokens: RedisAdminTokens(client: redis), audit: audit).endpoints, audit.endpoints,
            ], time: time, logger: logger)
    }

    func explanation(_ admissions: any AdmissionStore, _ keys: any KeyStore) -> UserExplanation {
        UserExplanation(
            admissions: admissions, subscriptions: billing.subscriptions, keys: keys,
            traces: RedisUserTraces(client: redis), plans: configuration.plans,
            pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds, time: time)
    }
}
