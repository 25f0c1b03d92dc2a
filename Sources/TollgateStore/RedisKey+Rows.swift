import TollgateCore

extension RedisKey.Pattern {
    /// What is said of each pattern, in the order of the patterns. The reference of Redis keys is made of it.
    static let rows: [Row] = [
        Row(
            .usage, "usage:{userId}", .hash, .ends, kept: "a month after the period's end",
            holds: """
                `usageCount plan lastUpdated periodStart periodEnd` of the period that is counted in (days of a month, \
                moments of a subscription's period), of the one before `previousPeriodStart previousUsageCount`, \
                `otherPeriods` (`<periodStart>=<count> …`) of further ones that may come back, \
                `takenOverPeriodStart` of a month that lay ahead and was counted together with this one, and \
                `reservedUntil` while calls are reserved
                """,
            look: "HGETALL 'usage:{user_abc}'"),
        Row(
            .usageOfTenDays, "usage:{userId}:<ten days>", .hash, .ends, kept: "400 days after its last",
            holds: """
                by day (UTC), the calls that were charged by route or endpoint, and the requests that were refused by \
                code: `26/hello` of `2026-11-2`, which has the 20th to the 29th, is what `hello` was charged on the \
                26th, and `26!rate-limit-exceeded` what was refused then
                """,
            look: "HGETALL 'usage:{user_abc}:2026-11-2'"),
        Row(
            .platformID, "user:{userId}:platformId", .string, .mayStay, kept: "for ever",
            holds: "`plt_…`",
            look: "GET 'user:{user_abc}:platformId'"),
        Row(
            .apiKey, "user:{userId}:apiKey", .string, .mayStay, kept: "until it is revoked",
            holds: "`pk_live_…`",
            look: "GET 'user:{user_abc}:apiKey'"),
        Row(
            .previousAPIKey, "user:{userId}:previousApiKey", .hash, .ends, kept: "a week after its end",
            holds: """
                `apiKey status until` of the publishable key that was rotated out last, `apiKey status revokedAt` of \
                one that was revoked
                """,
            look: "HGETALL 'user:{user_abc}:previousApiKey'"),
        Row(
            .platformUser, "platform:{platformId}:userId", .string, .mayStay, kept: "for ever",
            holds: "whose platform it is",
            look: "GET 'platform:{plt_…}:userId'"),
        Row(
            .platformOfAPIKey, "apikey:{sha256 of the key}", .string, .mayStay,
            kept: "for ever, or a week after the key's end",
            holds: "the platform that the key belongs to",
            look: #"GET "apikey:{$(printf %s "$KEY" \| sha256sum \| cut -d' ' -f1)}""#),
        Row(
            .keys, "keys:{userId}", .sortedSet, .mayStay, kept: "for ever",
            holds: "ids of the user's keys that are not revoked, by when they were made",
            look: "ZRANGE 'keys:{user_abc}' 0 -1"),
        Row(
            .endedKeys, "keys:{userId}:ended", .sortedSet, .ends, kept: "a week",
            holds: "ids of the user's keys that were revoked, or have expired and made room, by when; the last 50",
            look: "ZRANGE 'keys:{user_abc}:ended' 0 -1"),
        Row(
            .keyChanges, "keys:{userId}:changes:<minute or day>", .string, .ends, kept: "120 s; 2 days",
            holds: "how often the user's keys were made and rotated then",
            look: "GET 'keys:{user_abc}:changes:2026-11-25'"),
        Row(
            .key, "key:{userId}:{keyId}", .hash, .mayStay, kept: "for ever, or a week after its revocation or end",
            holds: """
                `\(KeyRecord.fieldNames.joined(separator: " "))`; of one that has ended `hash status previousHash` \
                and `revokedAt` or `expiresAt`; of the secret only its SHA-256
                """,
            look: "HGETALL 'key:{user_abc}:{key_…}'"),
        Row(
            .keyOwner, "keyid:{keyId}", .string, .mayStay, kept: "as long as the key",
            holds: "whose key it is",
            look: "GET 'keyid:{key_…}'"),
        Row(
            .reservations, "reservations:{userId}", .sortedSet, .ends, kept: "as long as the usage",
            holds: "calls that may be given back, by when their lease ends",
            look: "ZRANGE 'reservations:{user_abc}' 0 -1 WITHSCORES"),
        Row(
            .booked, "booked:{userId}", .hash, .ends, kept: "a week after the last one",
            holds: "the last batch of calls that each worker has booked after Redis was away, by the worker's id",
            look: "HGETALL 'booked:{user_abc}'"),
        Row(
            .idempotentCall, "idempotency:{userId}:{key}", .hash, .ends, kept: "24 h",
            holds: """
                `fingerprint until calls attempt leaseUntil state` of a call that may be sent again, and `status \
                head body` of its answer
                """,
            look: "HGETALL 'idempotency:{user_ghi}:{order-7}'"),
        Row(
            .idempotencyKeys, "idempotency:{userId}", .sortedSet, .ends, kept: "24 h",
            holds: "the keys of such calls, by when they are forgotten",
            look: "ZRANGE 'idempotency:{user_ghi}' 0 -1"),
        Row(
            .keptAnswers, "idempotency:{userId}:answers", .sortedSet, .ends, kept: "24 h",
            holds: "`<bytes> <key>` of the answers that are kept, by when they are forgotten",
            look: "ZRANGE 'idempotency:{user_ghi}:answers' 0 -1"),
        Row(
            .subscription, "subscription:{userId}", .hash, .mayStay, kept: "for ever",
            holds: """
                `plan status customer subscription startedAt periodStart periodEnd periodAnchor endsAt trialEnd \
                collectionPausedUntil pastDueSince planAfterGrace periodStartAfterGrace periodEndAfterGrace \
                periodAnchorAfterGrace writtenAt clerkUpdatedAt revision`: what billing says of the user's plan, \
                summed up; `status` is Stripe's, or `payment_returned` where a refund ends the plan
                """,
            look: "HGETALL 'subscription:{user_abc}'"),
        Row(
            .subscriptions, "subscriptions:{userId}", .hash, .mayStay, kept: "for ever",
            holds: """
                each subscription of the user as Stripe said last, 32 at most; in `customer` the user's own customer of \
                Stripe's, and in `byHand` the plan that was given by hand while a better one is bought
                """,
            look: "HGETALL 'subscriptions:{user_abc}'"),
        Row(
            .subscriptionEnds, "subscriptions:ends", .sortedSet, .mayStay, kept: "for ever",
            holds: """
                ids of the subscriptions that are served, by when their period ends (Unix seconds); one that is overdue \
                for a day is looked at, and stands a day later then
                """,
            look: "ZRANGE subscriptions:ends 0 9 WITHSCORES"),
        Row(
            .checkoutTurn, "subscription:{userId}:checkout", .string, .ends, kept: "20 s at most",
            holds: "the request whose turn it is to open a checkout", look: "PTTL 'subscription:{user_abc}:checkout'"),
        Row(
            .clerkTurn, "subscription:{userId}:clerk", .string, .ends, kept: "10 s at most",
            holds: "the worker whose turn it is to tell Clerk",
            look: "PTTL 'subscription:{user_abc}:clerk'"),
        Row(
            .customerUser, "customer:{customerId}:userId", .string, .mayStay, kept: "for ever",
            holds: "whose customer of Stripe's this is; the same of subscriptions, in `customer:{sub_…}:userId`",
            look: "GET 'customer:{cus_…}:userId'"),
        Row(
            .webhook, "webhook:stripe:{eventId}", .string, .ends, kept: "20 s; 30 days",
            holds: "`claimed <token>` while in work; then when it was done",
            look: "GET 'webhook:stripe:{evt_…}'"),
        Row(
            .waitingWebhooks, "webhooks:waiting", .sortedSet, .mayStay, kept: "until done; 4 days at most",
            holds: "Stripe's events that failed, by when they failed first",
            look: "ZRANGE webhooks:waiting 0 -1 WITHSCORES"),
        Row(
            .reconciliation, "reconciliation", .hash, .mayStay, kept: "for ever",
            holds: """
                `ranAt wentThroughAllAt eventsSeenUntil checked mended failures terms` of the last \
                reconciliations with Stripe; `terms` are the prices of each plan that it went by; `askedAt`, when \
                an operator has asked for one
                """,
            look: "HGETALL reconciliation"),
        Row(
            .reconciliationLease, "reconciliation:lease", .string, .ends, kept: "60 s at most",
            holds: "the worker whose turn it is to reconcile",
            look: "PTTL reconciliation:lease"),
        Row(
            .worker, "worker:{id}", .hash, .ends, kept: "15 s, gone at shutdown",
            holds: """
                `id version host pid startedAt seenAt address requestsPerSecond admitted refused draining`: what a \
                worker tells of itself every 5 s; counts are of the last minute
                """,
            look: "HGETALL 'worker:{91a54971315a}'"),
        Row(
            .readinessProbe, "worker:{readiness probe}", .string, .ends, kept: "60 s",
            holds: "written to see whether Redis takes writes",
            look: "PTTL 'worker:{readiness probe}'"),
        Row(
            .workers, "workers", .sortedSet, .mayStay, kept: "an hour each",
            holds: "ids of the workers, by when they were seen last; alive are those of the last 15 s",
            look: "ZRANGE workers 0 -1 WITHSCORES"),
        Row(
            .topUsers, "topusers:{day}", .sortedSet, .ends, kept: "2 days",
            holds: """
                who called most on a day (UTC), refused calls included; never too many, and of light callers too few
                """,
            look: "ZRANGE 'topusers:{2026-11-25}' 0 9 REV WITHSCORES"),
        Row(
            .users, "users", .sortedSet, .mayStay, kept: "400 days after the last call",
            holds:
                "all users who have called, by the day of their last call (Unix seconds), bought something or made a key",
            look: "ZRANGE users 0 9 REV WITHSCORES"),
        Row(
            .adminTokens, "admin:tokens", .hash, .mayStay, kept: "until they are revoked",
            holds: "the tokens for the admin port, by their names: `role createdAt expiresAt hash`",
            look: "HGETALL admin:tokens"),
        Row(
            .audit, "audit", .stream, .mayStay, kept: "the last 100,000",
            holds: """
                what operators have changed: `time who action subject before after`, and `state=begun` where it is not \
                known yet what came of it
                """,
            look: "XREVRANGE audit + - COUNT 10"),
        Row(
            .unpricedSubscriptions, "subscriptions:unpriced", .sortedSet, .mayStay,
            kept: "until they end or have another price",
            holds: "ids of live subscriptions whose price sells no plan, by when that was seen (Unix seconds)",
            look: "ZRANGE subscriptions:unpriced 0 9 WITHSCORES"),
        Row(
            .requests, "requests", .stream, .mayStay, kept: "the last 10,000",
            holds:
                "requests that workers have told of lately, refusals and failures first: as their lines in the access log",
            look: "XREVRANGE requests + - COUNT 10"),
        Row(
            .ticket, "ticket:{userId}:{sha256 of the ticket}", .string, .ends, kept: "30 s, or until it is used",
            holds: "whom a ticket stands for, and until when",
            look: "--scan --pattern 'ticket:{user_abc}*'"),
        Row(
            .rateLimit, "ratelimit:{userId}:<minute>", .string, .ends, kept: "120 s",
            holds: "requests in this minute (`floor(unix seconds / 60)`)",
            look: "GET 'ratelimit:{user_abc}:29924659'"),
        Row(
            .rateLimitOfRoute, "ratelimit:{userId}:<route>:<minute>", .string, .ends, kept: "120 s",
            holds: "requests in this minute on a route that has a rate of its own",
            look: "GET 'ratelimit:{user_ghi}:hello:29926170'"),
        Row(
            .alerts, "alerts:{channel}", .hash, .mayStay, kept: "until sent; 30 days at most",
            holds: """
                alerts for `webhook` or `email` by their ids, as JSON: `type user since attempts failure body`; of one \
                that is delivered no `body`
                """,
            look: "HGETALL 'alerts:{webhook}'"),
        Row(
            .alertsDue, "alerts:{channel}:due", .sortedSet, .mayStay, kept: "until sent or given up",
            holds:
                "ids of the alerts that are to be sent, by when (milliseconds); later while a worker has them in work",
            look: "ZRANGE 'alerts:{webhook}:due' 0 9 WITHSCORES"),
        Row(
            .alertsDelivered, "alerts:{channel}:delivered", .sortedSet, .mayStay, kept: "3 days",
            holds: "ids of the alerts that were delivered, by when (milliseconds); the last 50,000",
            look: "ZRANGE 'alerts:{webhook}:delivered' 0 9 REV WITHSCORES"),
        Row(
            .alertsDead, "alerts:{channel}:dead", .sortedSet, .mayStay, kept: "30 days",
            holds: "ids of the alerts that were given up, by when (milliseconds); the last 10,000",
            look: "ZRANGE 'alerts:{email}:dead' 0 9 REV WITHSCORES"),
        Row(
            .alertSweep, "alerts:sweep", .hash, .mayStay, kept: "for ever",
            holds: """
                `since` when alerts are sent, and when it was last looked for those that no worker has told of (`ranAt`)
                """,
            look: "HGETALL alerts:sweep"),
        Row(
            .alertSweepLease, "alerts:sweep:lease", .string, .ends, kept: "60 s at most",
            holds: "the worker whose turn it is to look for them",
            look: "PTTL alerts:sweep:lease"),
        Row(
            .alerted, "alerted:{userId}", .sortedSet, .ends, kept: "35 days after the last one",
            holds:
                "ids of the alerts about the user, by until when they may be found again (Unix seconds); 256 at most",
            look: "ZRANGE 'alerted:{user_abc}' 0 -1 WITHSCORES"),
        Row(
            .keysExpiring, "keys:expiring", .sortedSet, .mayStay, kept: "until the key's end",
            holds: "`<userId> <keyId>` of the keys that have an end, by when it is (Unix seconds)",
            look: "ZRANGE keys:expiring 0 9 WITHSCORES"),
    ]
}
