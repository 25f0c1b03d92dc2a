import Logging
import RedisClient
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What operators can ask and do, put together: for the admin port of a worker, and for the command line.
struct OperatorComposition {
    let configuration: GatewayConfiguration
    let redis: RedisClient
    let billing: Billing
    let authenticator: any TokenAuthenticator

    /// Those in force.
    let routes: @Sendable () -> RouteTable
    let time: any TimeSource
    let logger: Logger

    /// Of this worker. Nil on the command line, and where none is written.
    var accessLog: AccessLog?

    /// What is in force. Nil on the command line: what it was given.
    var configurationLines: InForce<[ConfigurationLine]>?

    var api: OperatorAPI {
        let audit = AuditTrail(log: RedisAuditLog(client: redis), logger: logger)
        let (calls, requests) = (TriedCalls(routes: routes), RedisRequestLog(client: redis))
        let platformKeys = PlatformKeyOwners(client: redis)
        let index = RedisUserIndex(client: redis)
        let keys = IndexedKeyStore(client: redis)
        let admissions = RedisAdmissionStore(
            client: redis, plans: billing.plans.plans, pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds)
        return OperatorAPI(
            [
                UserOperations(
                    index: index, topUsers: RedisTopUsers(client: redis), data: RedisUserData(client: redis),
                    requests: requests, calls: calls, terms: RedisOperatorStore(client: redis),
                    explanation: explanation(admissions, keys), admissions: admissions, keys: keys,
                    plans: billing.plans.plans, pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds,
                    audit: audit, reportInterval: WorkerReporter.interval, time: time
                ).endpoints,
                KeyOperations(
                    keys: keys, credentials: RedisCredentialStore(client: redis), index: RedisKeyIndex(client: redis),
                    platformKeys: platformKeys, audit: audit
                ).endpoints,
                CredentialOperations(
                    authenticator: authenticator, platformKeys: platformKeys, admissions: admissions, calls: calls
                ).endpoints,
                EventOperations(
                    backlog: RedisWebhookBacklog(client: redis), reconciliation: RedisReconciliation(client: redis),
                    replayer: billing.replayer, audit: audit
                ).endpoints,
                UsageOperations(
                    export: RedisUsageExport(client: redis), topUsers: RedisTopUsers(client: redis)
                ).endpoints,
                ConfigurationOperations(lines: configurationLines ?? InForce(configuration.lines)).endpoints,
                RequestOperations(log: requests, accessLog: accessLog).endpoints,
                AlertOperations(
                    outboxes: Alert.Channel.allCases.map { RedisAlertOutbox($0, client: redis) }, audit: audit
                ).endpoints,
                TokenOperations(tokens: RedisAdminTokens(client: redis), audit: audit).endpoints, audit.endpoints,
            ], time: time)
    }

    func explanation(_ admissions: any AdmissionStore, _ keys: any KeyStore) -> UserExplanation {
        UserExplanation(
            admissions: admissions, subscriptions: billing.subscriptions, keys: keys,
            traces: RedisUserTraces(client: redis), terms: RedisOperatorStore(client: redis),
            plans: billing.plans.plans,
            pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds, time: time)
    }
}
