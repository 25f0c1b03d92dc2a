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
        let found = endpoints.compactMap { endpoint in
            endpoint.parameters(of: call.path).map { (endpoint, $0) }
        }
        guard !found.isEmpty else { throw .notFound }
        guard let (endpoint, parameters) = found.first(where: { $0.0.method == call.method }) else {
            throw .methodNotAllowed(allowed: found.map(\.0.method.rawValue))
        }
        guard call.identity.role >= endpoint.role else { throw .roleTooLow(endpoint.role, call.identity) }
        do {
            return try await endpoint.handle(OperatorRequest(call: call, parameters: parameters, time: time.now()))
        } catch let error as APIError {
            throw error
        } catch let error as StoreUnavailable {
            throw .unavailable(cause: error.reason)
        } catch {
            throw .internalError(cause: "\(error)")
        }
    }
}

extension APIError {
    fileprivate static func roleTooLow(_ needed: OperatorRole, _ identity: OperatorIdentity) -> APIError {
        APIError(
            .forbidden, error: "Role too low", code: "role-too-low",
            message:
                "This takes the role \(needed.rawValue), and the token '\(identity.name)' has \(identity.role.rawValue)."
        )
    }
}
