import HTTPTypes
import TollgateCore
package import TollgateDataPlane

/// All that operators can ask and do, behind two doors: `/admin/v1` on the admin port, and the command line.
package struct OperatorAPI: Sendable {
    let endpoints: [OperatorEndpoint]
    let time: any TimeSource

    init(_ groups: [[OperatorEndpoint]], time: any TimeSource) {
        endpoints = groups.flatMap(\.self)
        self.time = time
    }

    package func answer(_ call: OperatorCall) async throws(APIError) -> OperatorAnswer {
        let (endpoint, parameters) = try endpoint(call.method, call.path, for: call.identity)
        do {
            return try await endpoint.handle(OperatorRequest(call: call, parameters: parameters, time: time.now()))
        } catch let error as APIError {
            throw error
        } catch let error as StoreUnavailable {
            throw .unavailable(toOperators: error)
        } catch {
            throw .internalError(cause: "\(error)")
        }
    }

    /// What answers, and what stands in the places of its path that have names.
    ///
    /// - Throws: The refusal of a path or a method that there is not, and of an identity that may not.
    func endpoint(
        _ method: OperatorCall.Method, _ path: String, for identity: OperatorIdentity
    ) throws(APIError) -> (endpoint: OperatorEndpoint, parameters: [String: String]) {
        let found = endpoints.compactMap { endpoint in endpoint.parameters(of: path).map { (endpoint, $0) } }
        guard !found.isEmpty else { throw .notFound }
        guard let (endpoint, parameters) = found.first(where: { $0.0.method == method }) else {
            throw .methodNotAllowed(allowed: found.map(\.0.method.rawValue))
        }
        guard identity.role >= endpoint.role else { throw .roleTooLow(endpoint.role, identity) }
        return (endpoint, parameters)
    }
}

extension APIError {
    /// As an operator is told of it. What Redis has answered does not pass by itself, so it says which key it is.
    static func unavailable(toOperators error: StoreUnavailable, consequence: String = "") -> APIError {
        var told = APIError.unavailable(cause: error.reason)
        let what =
            if case .answeredError = error.cause {
                "Redis has refused it: \(error.reason). tollgate doctor says what to do."
            } else { "Redis did not answer in time. Try again in a second; tollgate doctor says more." }
        told.message = consequence.isEmpty ? what : "\(what) \(consequence)"
        return told
    }

    fileprivate static func roleTooLow(_ needed: OperatorRole, _ identity: OperatorIdentity) -> APIError {
        APIError(
            .forbidden, error: "Role too low", code: "role-too-low",
            message:
                "This takes the role \(needed.rawValue), and the token '\(identity.name)' has \(identity.role.rawValue)."
        )
    }
}
