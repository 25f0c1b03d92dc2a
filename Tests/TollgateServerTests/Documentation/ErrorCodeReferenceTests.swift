import HTTPTypes
import StripeBilling
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateServer

/// The table of error codes has each code that the gateway can answer, with its status, and no other.
@Suite struct ErrorCodeReferenceTests {
    /// A webhook without a secret is answered `webhook-not-configured` before its signature is looked at.
    private static let neverAnswered: Set = [WebhookSignatureProblem.secretMissing.rawValue]

    /// The words of nginx, which drops the body of Tollgate's answer.
    private static let ofTheGuard: Set = ["unauthenticated"]

    /// The statuses of each code.
    private static func documented() throws -> [String: [String]] {
        let rows = try ReferencePage("Reference/ErrorCodes").rows.compactMap { row in
            ReferencePage.code(in: row[0]).first.map { ($0, row[1].split(separator: ", ").map(String.init)) }
        }
        return try Dictionary(rows) { _, _ in throw Twice() }
    }

    private struct Twice: Error {}

    /// The files that refuse requests.
    private static func sources() throws -> [String] {
        try ReferencePage.productionSources().values.filter { $0.contains("APIError") }
    }

    @Test func codesAreThoseOfTheProgram() throws {
        let literals = try Self.sources().flatMap { text in
            text.matches(of: /[cC]ode(?::| =)\s*"([a-z][a-z-]+)"/).map { String($0.1) }
        }
        #expect(literals.count > 40, "the codes were not found")
        let named =
            AuthenticationFailure.Reason.allCases.map(\.rawValue) + APIKey.Problem.allCases.map(\.rawValue)
            + KeyRefusal.allCases.map(\.rawValue) + WebhookSignatureProblem.allCases.map(\.rawValue)
        let answered = Set(literals + named).subtracting(Self.neverAnswered)
        let documented = Set(try Self.documented().keys).subtracting(Self.ofTheGuard)
        #expect(answered.subtracting(documented) == [], "add these to Reference/ErrorCodes.md")
        #expect(documented.subtracting(answered) == [], "no answer has these")
    }

    @Test func wordsOfTheGuardAreThere() throws {
        let nginx = try ReferencePage.contents("deploy/guard/nginx.conf")
        for code in Self.ofTheGuard { #expect(nginx.contains("\"code\":\"\(code)\"")) }
    }

    /// Wherever an error is made with status and code side by side.
    @Test func statusesAreThoseOfTheProgram() throws {
        let documented = try Self.documented()
        var count = 0
        for text in try Self.sources() {
            for match in text.matches(of: /\.(\w+),\s*error: "[^"\n]*",\s*code: "([a-z-]+)"/) {
                let status = try #require(Self.numbers[String(match.1)], "give \(match.1) a number")
                let statuses = documented[String(match.2)]
                #expect(statuses?.contains(status) == true, "\(match.2) is \(status)")
                count += 1
            }
        }
        #expect(count > 30, "the statuses were not found")
        for refusal in KeyRefusal.allCases {
            let error = APIError.key(refusal)
            #expect(documented[error.code]?.contains("\(error.status.code)") == true, "\(error.code)")
        }
        for problem in APIKey.Problem.allCases {
            let error = APIError.key(problem)
            #expect(documented[error.code] == ["\(error.status.code)"], "\(error.code)")
        }
        for reason in AuthenticationFailure.Reason.allCases {
            let error = APIError.authentication(AuthenticationFailure(reason, ""))
            #expect(documented[error.code] == ["\(error.status.code)"], "\(error.code)")
        }
    }

    private static let numbers = [
        "badRequest": "400", "unauthorized": "401", "forbidden": "403", "notFound": "404", "methodNotAllowed": "405",
        "requestTimeout": "408", "conflict": "409", "contentTooLarge": "413", "unprocessableContent": "422",
        "tooManyRequests": "429", "requestHeaderFieldsTooLarge": "431", "internalServerError": "500",
        "notImplemented": "501", "badGateway": "502", "serviceUnavailable": "503", "gatewayTimeout": "504",
        "httpVersionNotSupported": "505",
    ]
}
