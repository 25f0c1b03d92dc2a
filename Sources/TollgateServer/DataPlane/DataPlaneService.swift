import HTTPTypes
import Logging
import NIOCore
import TollgateCore
import TollgateStore

/// What all data-plane connections of a worker share.
struct DataPlaneService: Sendable {
    let gatekeeper: Gatekeeper
    let store: RedisAdmissionStore
    let time: any TimeSource
    let cors: CORSPolicy
    let metrics: GatewayMetrics
    let requestIDs: RequestIDGenerator
    let logger: Logger

    /// Authenticates the caller and counts the call. `completion` is called once, on `eventLoop`; the answer has its
    /// request's name already.
    ///
    /// - Returns: False when the token was not seen before. `completion` is not called then.
    func admit(
        _ head: HTTPRequest, to endpoint: MeteredEndpoint, on eventLoop: any EventLoop,
        completion: @escaping (Answer) -> Void
    ) -> Bool {
        let principal: Principal
        do throws(APIError) {
            guard let known = try gatekeeper.rememberedPrincipal(head.headerFields) else { return false }
            principal = known
        } catch {
            completion(answer(error, endpoint))
            return true
        }
        let request = AdmissionRequest(principal: principal, time: time.now())
        store.admit(request, on: eventLoop) { result in
            do throws(APIError) {
                var answer = endpoint.answer(try gatekeeper.conclude(result, of: request, logger: logger))
                answer.headers.append(HTTPField(name: .xRequestID, value: requestIDs.next()))
                completion(answer)
            } catch {
                completion(answer(error, endpoint))
            }
        }
        return true
    }

    private func answer(_ error: APIError, _ endpoint: MeteredEndpoint) -> Answer {
        let requestID = requestIDs.next()
        error.log(requestID: requestID, path: endpoint.name, to: logger)
        var answer = Answer(error, requestID: requestID)
        answer.headers.append(HTTPField(name: .xRequestID, value: requestID))
        return answer
    }

    /// Adds the fields that every answer of the endpoint has.
    func finish(_ headers: inout HTTPFields, of endpoint: MeteredEndpoint, origin: String?) {
        if endpoint.hasCORS { cors.apply(to: &headers, origin: origin) }
    }
}
