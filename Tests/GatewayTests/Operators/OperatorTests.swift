import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// What operators decide about users, by the admin port, and what it does to the users' calls.
@Suite(.timeLimit(.minutes(6))) struct OperatorTests {
    private static let plans = """
        plans:
          free: { quota: 3, ratePerMinute: 100 }
          paid: { quota: 500 }
        """

    @Test func grantsAddToTheQuota() async throws {
        try await withMarket(plans: Self.plans) { market in
            for _ in 1...3 { #expect(try await market.verify("user_abc").status == 200) }
            #expect(try await market.verify("user_abc").status == 403)
            let answer = try await market.admin("POST", "users/user_abc/grants", #"{"calls":2,"reason":"sorry"}"#)
            #expect(answer.status == 200, "\(answer.body)")
            let first = try await market.verify("user_abc")
            let usage = try #require(JSON(parsing: first.body.utf8))["usage"]
            #expect(usage["count"].integer == 4 && usage["limit"].integer == 5 && usage["granted"].integer == 2)
            #expect(try await market.verify("user_abc").status == 200)
            #expect(try await market.verify("user_abc").status == 403)
            // One for this period is over with it.
            market.time.advance(seconds: 40 * 86_400)
            let later = try await market.verify("user_abc")
            #expect(JSON(parsing: later.body.utf8)?["usage"]["limit"].integer == 3, "\(later.body)")
        }
    }

    @Test func aBlockRefusesWithItsReason() async throws {
        try await withMarket(plans: Self.plans) { market in
            #expect(try await market.verify("user_abc").status == 200)
            _ = try await market.admin("POST", "users/user_abc/block", #"{"reason":"unpaid bill, write to us"}"#)
            let refused = try await market.verify("user_abc")
            #expect(refused.status == 403 && refused.member("code") == "user-blocked")
            #expect(refused.member("message") == "unpaid bill, write to us")
            let explained = try await market.admin("GET", "users/user_abc/explain")
            #expect(explained.body.contains("an operator has blocked the user: unpaid bill"), "\(explained.body)")
            #expect(try await market.verify("user_def").status == 200, "others are not")
            _ = try await market.admin("DELETE", "users/user_abc/block")
            #expect(try await market.verify("user_abc").status == 200)
        }
    }

    @Test func limitsAndPlansCountUntilTheyEnd() async throws {
        try await withMarket(plans: Self.plans) { market in
            let answer = try await market.admin(
                "PUT", "users/user_abc/limits", #"{"quota":1,"ratePerMinute":7,"until":"2025-11-27"}"#)
            #expect(answer.status == 200, "\(answer.body)")
            let first = try await market.verify("user_abc")
            #expect(first.status == 200)
            #expect(first.headers["ratelimit-policy"]?.contains("q=7") == true, "\(first.headers)")
            #expect(try await market.verify("user_abc").status == 403)
            market.time.advance(seconds: 2 * 86_400)
            #expect(try await market.verify("user_abc").status == 200, "its day is over")
            _ = try await market.admin("PUT", "users/user_abc/limits", #"{"plan":"paid"}"#)
            #expect(try await market.plan(of: "user_abc") == "paid")
            let unknown = try await market.admin("PUT", "users/user_abc/limits", #"{"plan":"gold"}"#)
            #expect(unknown.status == 400 && unknown.body.contains("The plans are free, paid"))
            _ = try await market.admin("DELETE", "users/user_abc/limits")
            #expect(try await market.plan(of: "user_abc") != "paid")
        }
    }

    @Test func usersAreListedPageByPage() async throws {
        try await withMarket(plans: Self.plans) { market in
            for number in 1...7 { _ = try await market.verify("user_\(number)") }
            _ = try await market.admin("POST", "users/user_3/block", #"{"reason":"x"}"#)
            try await eventually("all are in the index") {
                try await market.admin("GET", "users").json["total"].integer == 7
            }
            var (seen, after): ([String], String?) = ([], nil)
            repeat {
                let page = try await market.admin("GET", "users?limit=3" + (after.map { "&after=\($0)" } ?? "")).json
                seen += (page["users"].elements ?? []).compactMap { $0["userId"].string }
                after = page["next"].string
            } while after != nil
            #expect(seen.sorted() == (1...7).map { "user_\($0)" })
            let blocked = try await market.admin("GET", "users?state=blocked").json["users"].elements ?? []
            #expect(blocked.compactMap { $0["userId"].string } == ["user_3"])
            let paid = try await market.admin("GET", "users?plan=paid").json["users"].elements
            #expect(paid == [])
        }
    }

    /// Privacy law: nothing is left but the audit.
    @Test func nothingIsLeftOfADeletedUser() async throws {
        try await withMarket(plans: Self.plans) { market in
            try await market.buy("user_gone")
            _ = try await market.call("POST", "/keys", "user_gone", body: #"{"name":"build"}"#)
            _ = try await market.call("POST", "/generate-api-credentials", "user_gone")
            _ = try await market.admin("POST", "users/user_gone/grants", #"{"calls":2}"#)
            let refused = try await market.admin("DELETE", "users/user_gone")
            #expect(refused.status == 409 && refused.member("code") == "user-subscribed")
            let export = try await market.admin("GET", "users/user_gone/export")
            #expect(export.body.contains("subscription:{user_gone}") && !export.body.contains("sk_live"))
            let answer = try await market.admin("DELETE", "users/user_gone?force=true")
            #expect(answer.status == 200, "\(answer.body)")
            #expect(try await market.admin("DELETE", "users/user_gone").status == 404, "there is nothing any more")
            try await withRedisClient(market.redis.configuration) { redis in
                let names = try await redis.send("KEYS *").array?.compactMap(\.string) ?? []
                #expect(names.filter { $0.contains("user_gone") } == [])
                for name in names {
                    let value = try? await redis.send("GET \(name)").string
                    #expect(value != "user_gone", "\(name)")
                }
            }
        }
    }

    /// What a person has damaged by hand hides neither other users nor what is left, and keeps no one from being deleted.
    @Test(arguments: [
        "SET 'usage:{user_odd}' x", "SET 'subscription:{user_odd}' x", "SET 'subscriptions:{user_odd}' x",
        "HSET 'keys:{user_odd}' a b", "SET 'alerted:{user_odd}' x", "LPUSH 'user:{user_odd}:platformId' x",
    ]) func damagedRecordsCanBeDeleted(damage: String) async throws {
        try await withMarket(plans: Self.plans) { market in
            for user in ["user_odd", "user_abc"] { _ = try await market.verify(user) }
            try await eventually("both are in the index") {
                try await market.admin("GET", "users").json["total"].integer == 2
            }
            try await withRedisClient(market.redis.configuration) { redis in
                let key = damage.split(separator: "'")[1]
                let command = damage.replacing("'", with: "")
                _ = try await redis.send("DEL \(key)")
                _ = try await redis.send(command)
                let list = try await market.admin("GET", "users")
                #expect(list.status == 200 && list.json["users"].elements?.count == 2, "\(list.body)")
                #expect(try await market.admin("GET", "users/user_odd/export").status == 200)
                let shown = try await market.admin("GET", "users/user_odd")
                // What Redis refuses is told, with the key, and does not pass by itself.
                #expect(shown.status == 200 || shown.member("message")?.contains(key) == true, "\(shown.body)")
                let deleted = try await market.admin("DELETE", "users/user_odd")
                #expect(deleted.status == 200, "\(deleted.body)")
                let left = try await redis.send("KEYS *user_odd*").array?.compactMap(\.string)
                #expect(left == [])
            }
            #expect(try await market.admin("GET", "users").json["total"].integer == 1)
        }
    }

    /// An id that was typed wrong is told of.
    @Test func decisionsAboutStrangersAreToldOf() async throws {
        try await withMarket(plans: Self.plans) { market in
            let early = try await market.admin("POST", "users/user_new/grants", #"{"calls":1}"#)
            #expect(early.status == 200 && early.json["isKnown"].bool == false)
            #expect(try await market.admin("POST", "users/user_other/reset").status == 404)
            _ = try await market.verify("user_new")
            let later = try await market.admin("POST", "users/user_new/grants", #"{"calls":1}"#).json
            #expect(later["isKnown"].bool == true)
            let id = try #require(later["operator"]["grants"].elements?.last?["id"].string)
            let (lines, status) = try await market.run(["users", "ungrant", "user_new", id])
            #expect(status == .exited(0) && !lines.joined().contains(id), "\(lines)")
            let grants = try await market.admin("GET", "users/user_new").json["operator"]["grants"].elements
            #expect(grants?.count == 1)
            let (wrong, refused) = try await market.run(["users", "limit", "user_new", "--quota", "-1"])
            #expect(refused == .exited(64), "\(wrong)")
        }
    }

    /// What is of another period does not count any more, and what counts now does so before the first call.
    @Test func listsGoByThePresentPeriod() async throws {
        try await withMarket(plans: Self.plans) { market in
            for _ in 1...3 { _ = try await market.verify("user_abc") }
            _ = try await market.admin("POST", "users/user_abc/grants", #"{"calls":2}"#)
            _ = try await market.admin("POST", "users/user_new/grants", #"{"calls":4}"#)
            _ = try await market.admin("PUT", "users/user_abc/limits", #"{"plan":"paid"}"#)
            try await market.buy("user_buyer")
            func list(_ query: String = "") async throws -> [String: JSON] {
                let users = try await market.admin("GET", "users\(query)").json["users"].elements ?? []
                return Dictionary(uniqueKeysWithValues: users.map { ($0["userId"].string ?? "", $0) })
            }
            try await eventually("all are in the index") { try await list().count == 3 }
            let now = try await list()
            #expect(now["user_new"]?["limit"].integer == 7 && now["user_abc"]?["limit"].integer == 502)
            #expect(now["user_buyer"]?["plan"].string == "paid")
            #expect(try await list("?state=granted").keys.sorted() == ["user_abc", "user_new"])
            #expect(try await list("?plan=paid").keys.sorted() == ["user_abc", "user_buyer"])
            #expect(try await market.admin("GET", "users?plan=gold").status == 400)
            let explained = try await market.admin("GET", "users/user_abc/explain").json["plan"]
            #expect(explained["source"].string == "operator")
            #expect(explained["reason"].string?.contains("An operator has given 'paid'") == true, "\(explained)")
            #expect(explained["reason"].string?.contains("granted 2 calls") == true, "\(explained)")
            market.time.advance(seconds: 10 * 86_400)
            let later = try await list()
            #expect(later["user_abc"]?["calls"].integer == 0 && later["user_new"]?["limit"].integer == 3)
            #expect(try await list("?state=granted").isEmpty)
        }
    }

    /// Reports that were under way bring nobody back who was deleted.
    @Test func deletedUsersStayDeleted() async throws {
        try await withFleet(settings: ["TOLLGATE_ACCESS_LOG": "on"]) { fleet in
            let (port, admin) = (fleet.workers[0].port, fleet.workers[0].adminPort)
            for _ in 1...3 { _ = try await HTTP.verify(try fleet.token("user_gone"), port: port) }
            let answer = try await HTTP.send("DELETE", "/admin/v1/users/user_gone", port: admin)
            #expect(answer.status == 200, "\(answer.body)")
            #expect(try await HTTP.get("/admin/v1/users", port: admin).json["total"].integer == 0)
            #expect(try await HTTP.get("/admin/v1/top", port: admin).json["users"].elements == [])
            try await withRedisClient(fleet.redis.configuration) { redis in
                let left = try await redis.send("KEYS *user_gone*").array?.count
                #expect(left == 0)
            }
        }
    }

    @Test func keysAreFoundAndRevoked() async throws {
        try await withMarket(plans: Self.plans) { market in
            let made = try await market.call("POST", "/keys", "user_abc", body: #"{"name":"build"}"#).json
            let (key, id) = (try #require(made["key"].string), try #require(made["id"].string))
            for text in [key, id] {
                let found = try await market.admin("POST", "keys/owner", #"{"key":"\#(text)"}"#).json
                #expect(found["userId"].string == "user_abc" && found["status"].string == "active", "\(found.text)")
            }
            _ = try await market.admin("DELETE", "users/user_abc/keys")
            let refused = try await HTTP.send(
                "POST", "/verify-auth", port: market.port, headers: [("Authorization", "Bearer \(key)")])
            #expect(refused.status == 401 && refused.member("code") == "key-revoked")
            let nobody = try await market.admin("POST", "keys/owner", #"{"key":"key_0000000000000000"}"#)
            #expect(nobody.status == 404 || nobody.status == 400)
        }
    }

    /// Of each refusal of a key an operator is told why, by the key as the customer sends it.
    @Test func refusalsOfKeysAreExplained() async throws {
        try await withMarket(plans: Self.plans) { market in
            func made(_ body: String) async throws -> (key: String, id: String) {
                let answer = try await market.call("POST", "/keys", "user_abc", body: body).json
                return (try #require(answer["key"].string, "\(answer)"), try #require(answer["id"].string))
            }
            func explained(_ key: String, _ more: String = "") async throws -> String {
                let answer = try await market.admin("POST", "keys/explain", #"{"key":"\#(key)"\#(more)}"#)
                return answer.json["nextCall"]["code"].string ?? answer.json["nextCall"]["message"].string
                    ?? answer.member("code") ?? answer.body
            }
            let good = try await made(#"{"name":"good"}"#)
            #expect(try await explained(good.key).hasPrefix("It is admitted"))
            let narrow = try await made(#"{"name":"narrow","scopes":["read"]}"#)
            #expect(try await explained(narrow.key, #","scopes":["read"]"#).hasPrefix("It is admitted"))
            #expect(try await explained(narrow.key, #","scopes":["write"]"#) == "scope-missing")
            let bound = try await made(#"{"name":"bound","allowedIPs":["203.0.113.0/24"]}"#)
            #expect(try await explained(bound.key, #","from":"203.0.113.7""#).hasPrefix("It is admitted"))
            #expect(try await explained(bound.key, #","from":"192.0.2.7""#) == "address-not-allowed")
            let short = try await made(#"{"name":"short","expiresInDays":1}"#)
            let ended = try await made(#"{"name":"ended"}"#)
            _ = try await market.admin("DELETE", "users/user_abc/keys/\(ended.id)")
            #expect(try await explained(ended.key) == "key-revoked")
            var invented = good.key
            let place = invented.index(invented.endIndex, offsetBy: -12)
            invented.replaceSubrange(place...place, with: invented[place] == "a" ? "b" : "a")
            #expect(try await explained(invented) == "key-checksum-mismatch")
            #expect(try await explained("key_nothing") == "key-malformed")
            #expect(try await explained(good.id) == "bad-request", "by an id nothing can be tried")
            _ = try await market.admin("POST", "users/user_abc/block", #"{"reason":"abuse"}"#)
            #expect(try await explained(good.key) == "user-blocked")
            _ = try await market.admin("DELETE", "users/user_abc/block")
            market.time.advance(seconds: 2 * 86_400)
            #expect(try await explained(short.key) == "key-expired")
            let usage = try await market.admin("GET", "users/user_abc").json["usage"]["count"].integer
            #expect(usage == 0, "nothing was counted")
            let (lines, status) = try await market.run(["keys", "explain", short.key])
            #expect(status == .exited(0) && lines.last?.contains("401: The key has expired") == true, "\(lines)")
        }
    }

    @Test func grantsAreNotLost() async throws {
        try await withMarket(plans: Self.plans) { market in
            for number in 1...8 {
                let answer = try await market.admin("POST", "users/user_abc/grants", #"{"calls":\#(number)}"#)
                #expect(answer.status == 200)
            }
            let ninth = try await market.admin("POST", "users/user_abc/grants", #"{"calls":9}"#)
            #expect(ninth.status == 409 && ninth.member("code") == "too-many-grants")
            let grants = try await market.admin("GET", "users/user_abc").json["operator"]["grants"].elements ?? []
            #expect(grants.compactMap { $0["calls"].integer } == Array(1...8))
            #expect(try await market.admin("GET", "audit?before=0-0").status == 400)
            let nonsense = try await market.admin("POST", "keys/explain", #"{"key":"sk_live_x"}"#).json["nextCall"]
            #expect(nonsense["code"].string == "key-malformed" && nonsense["isAdmitted"].bool == false)
        }
    }

    @Test func thoseWhoCallMostAreFirst() async throws {
        try await withMarket(plans: Self.plans) { market in
            for (user, calls) in [("user_some", 2), ("user_most", 3), ("user_one", 1)] {
                for _ in 0..<calls { _ = try await market.verify(user) }
            }
            func users(_ query: String) async throws -> [String] {
                (try await market.admin("GET", "users?by=usage\(query)").json["users"].elements ?? [])
                    .compactMap { $0["userId"].string }
            }
            try await eventually("all are told of") {
                try await users("") == ["user_most", "user_some", "user_one"]
            }
            #expect(try await users("&state=used-up") == ["user_most"])
            #expect(try await users("&limit=1") == ["user_most"])
            #expect(try await market.admin("GET", "users?by=name").status == 400)
        }
    }

    @Test func everyChangeIsInTheAudit() async throws {
        try await withMarket(plans: Self.plans) { market in
            _ = try await market.admin("POST", "users/user_abc/block", #"{"reason":"x"}"#)
            _ = try await market.admin("DELETE", "users/user_abc/block")
            let entries = try await market.admin("GET", "audit").json["entries"].elements ?? []
            #expect(entries.compactMap { $0["action"].string } == ["users.unblock", "users.block"])
            #expect(entries.allSatisfy { $0["subject"].string == "user_abc" && $0["who"].string == "admin-port" })
        }
    }

    @Test func aMonthIsExported() async throws {
        try await withMarket(plans: Self.plans) { market in
            for user in ["user_a", "user_a", "user_a", "user_a", "user_b"] { _ = try await market.verify(user) }
            try await eventually("all are in the index") {
                try await market.admin("GET", "users").json["total"].integer == 2
            }
            let csv = try await market.admin("GET", "usage?month=2025-11&format=csv").body
            let lines = csv.split(separator: "\n").map(String.init)
            #expect(lines[0] == "user,day,route,calls,refused,code")
            #expect(
                lines.dropFirst().sorted() == [
                    "user_a,2025-11-26,,0,1,quota-exceeded", "user_a,2025-11-26,verify-auth,3,0,",
                    "user_b,2025-11-26,verify-auth,1,0,",
                ])
            let json = try await market.admin("GET", "usage?month=2025-11").json
            #expect(json["month"].string == "2025-11")
            let rows = (json["usage"].elements ?? []).sorted {
                ($0["userId"].string ?? "", $0["route"].string ?? "") < (
                    $1["userId"].string ?? "", $1["route"].string ?? ""
                )
            }
            #expect(
                rows == [
                    ["userId": "user_a", "day": "2025-11-26", "refused": 1, "code": "quota-exceeded"],
                    ["userId": "user_a", "day": "2025-11-26", "route": "verify-auth", "calls": 3],
                    ["userId": "user_b", "day": "2025-11-26", "route": "verify-auth", "calls": 1],
                ])
            #expect(try await market.admin("GET", "usage?month=2025-10").json["usage"].elements == [])
            for month in ["2024-09", "2025-12", "1970-01"] {
                let answer = try await market.admin("GET", "usage?month=\(month)")
                #expect(answer.status == 400 && answer.body.contains("from 2024-10 to 2025-11"), "\(answer.body)")
            }
        }
    }

    @Test func whatIsWrongIsSaid() async throws {
        try await withMarket(plans: Self.plans) { market in
            for (method, path, body, status) in [
                ("GET", "nothing", nil, 404), ("PUT", "users", nil, 405), ("GET", "users?limit=0", nil, 400),
                ("GET", "users?state=odd", nil, 400),
                ("GET", "users?after=user_abc", nil, 400), ("POST", "users/user_abc/grants", "{}", 400),
                ("POST", "users/user_abc/grants", #"{"calls":-1}"#, 400),
                ("POST", "users/user_abc/grants", #"{"calls":1,"until":"2020-01-01"}"#, 400),
                ("POST", "users/user_abc/block", #"{"reason":""}"#, 400), ("GET", "users/a%20b", nil, 400),
                ("GET", "users/user_unknown", nil, 404), ("DELETE", "users/user_abc/grants/none", nil, 404),
                ("GET", "usage?month=2025-13", nil, 400), ("POST", "events/evt_none/replay", nil, 404),
            ] as [(String, String, String?, Int)] {
                let answer = try await market.admin(method, path, body)
                #expect(answer.status == status, "\(method) \(path): \(answer.status) \(answer.body)")
                #expect(answer.member("code") != nil && answer.member("message") != nil)
            }
        }
    }
}

extension HTTP.Answer {
    /// The body.
    var json: JSON { JSON(parsing: body.utf8) ?? .null }
}

extension Market {
    /// Asks the admin API of the first worker.
    func admin(
        _ method: String, _ path: String, _ body: String? = nil, token: String? = nil
    ) async throws -> HTTP.Answer {
        try await HTTP.send(
            method, "/admin/v1/\(path)", port: gateways[0].adminPort,
            headers: token.map { [("Authorization", "Bearer \($0)")] } ?? [], body: body)
    }
}
