import HTTPTypes
import Logging
import TollgateCore
package import TollgateDataPlane

/// All that operators can ask and do, behind two doors: `/admin/v1` on the admin port, and the command line.
package struct OperatorAPI: Sendable {
    let endpoints: [OperatorEndpoint]
    let time: any TimeSource
    let logger: Logger

    init(_ groups: [[OperatorEndpoint]], time: any TimeSource, logger: Logger) {
        endpoints = groups.flatMap(\.self)
        self.time = time
        self.logger = logger
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
        let answer: OperatorAnswer
        do {
            answer = try await endpoint.handle(OperatorRequest(call: call, parameters: parameters, time: time.now()))
        } catch {
            throw endpoint.method == .get ? error : error.ofAChange
        }
        if endpoint.method != .get {
            logger.notice(
                "an operator has changed something",
                metadata: [
                    "who": "\(call.identity.name)", "what": "\(call.method.rawValue) \(endpoint.pattern)",
                ])
        }
        return answer
    }
}

extension APIError {
    /// Redis has perhaps done it, and the answer came too late: repeated blindly, it would be done twice.
    fileprivate var ofAChange: APIError {
        guard status == .serviceUnavailable else { return self }
        var error = self
        error.message =
            "Redis did not answer in time, or refused a part. It may be done, without a line in the audit: look before you "
            + "repeat it."
        return error
    }

    fileprivate static func roleTooLow(_ needed: OperatorRole, _ identity: OperatorIdentity) -> APIError {
        APIError(
            .forbidden, error: "Role too low", code: "role-too-low",
            message:
                "This takes the role \(needed.rawValue), and the token '\(identity.name)' has \(identity.role.rawValue)."
        )
    }
}
