import HTTPTypes
import Hummingbird
import JSONValue

/// An error as Stripe's API answers it.
struct StandInStripeError: Error {
    let status: HTTPResponse.Status
    let type: String
    let code: String?
    let message: String
    let parameter: String?

    init(
        _ message: String, status: HTTPResponse.Status = .badRequest, type: String = "invalid_request_error",
        code: String? = nil, parameter: String? = nil
    ) {
        self.status = status
        self.type = type
        self.code = code
        self.message = message
        self.parameter = parameter
    }

    static func unknown(_ parameter: String) -> Self {
        Self("Received unknown parameter: \(parameter)", code: "parameter_unknown", parameter: parameter)
    }

    static func missing(_ parameter: String) -> Self {
        Self("Missing required param: \(parameter).", code: "parameter_missing", parameter: parameter)
    }

    /// - Parameter parameter: Which named it; nil for the path, whose objects are missed with 404 rather than 400.
    static func noSuch(_ kind: String, _ id: String, parameter: String? = nil) -> Self {
        Self(
            "No such \(kind): '\(id)'", status: parameter == nil ? .notFound : .badRequest, code: "resource_missing",
            parameter: parameter ?? "id")
    }

    var answer: StandInStripeAnswer {
        var error: JSON = ["type": .string(type), "message": .string(message)]
        if let code { error["code"] = .string(code) }
        if let parameter { error["param"] = .string(parameter) }
        return StandInStripeAnswer(status: status, body: (["error": error] as JSON).text)
    }
}

/// What the API answered: kept, because the same idempotency key gets the same again.
struct StandInStripeAnswer: Sendable, Hashable {
    var status: HTTPResponse.Status = .ok
    let body: String

    func response(isReplayed: Bool = false) -> Response {
        .json(body, status: status, headers: isReplayed ? [.idempotentReplayed: "true"] : [:])
    }
}

extension HTTPField.Name {
    static let requestID = Self.named("Request-Id")
    static let stripeVersion = Self.named("Stripe-Version")
    static let stripeSignature = Self.named("Stripe-Signature")
    static let idempotencyKey = Self.named("Idempotency-Key")
    static let idempotentReplayed = Self.named("Idempotent-Replayed")

    private static func named(_ name: String) -> Self {
        guard let name = Self(name) else { preconditionFailure("\(name) is no header's name") }
        return name
    }
}
