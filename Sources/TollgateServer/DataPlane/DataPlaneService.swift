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

    /// Whether a request is of the kind that is answered here: `POST /verify-auth` without a body.
    func takes(_ head: HTTPRequest) -> Bool {
        head.path == "/verify-auth" && head.method == .post && head.headerFields[.transferEncoding] == nil
            && (head.headerFields[.contentLength] ?? "0") == "0" && head.headerFields[.expect] == nil
    }

    /// Verifies the caller and counts the call. `completion` is called once, on `eventLoop`; the answer has its
    /// request's name already.
    ///
    /// - Returns: False when the token was not seen before. `completion` is not called then.
    func verify(_ head: HTTPRequest, on eventLoop: any EventLoop, completion: @escaping (Answer) -> Void) -> Bool {
        let principal: Principal
        do throws(APIError) {
            guard let known = try gatekeeper.rememberedPrincipal(head.headerFields) else { return false }
            principal = known
        } catch {
            completion(answer(error))
            return true
        }
        let request = AdmissionRequest(principal: principal, time: time.now())
        store.admit(request, on: eventLoop) { result in
            do throws(APIError) {
                let admitted = try gatekeeper.conclude(result, of: request, logger: logger)
                var answer = Answer(verified: admitted)
                answer.headers.append(HTTPField(name: .xRequestID, value: requestIDs.next()))
                completion(answer)
            } catch {
                completion(answer(error))
            }
        }
        return true
    }

    private func answer(_ error: APIError) -> Answer {
        let requestID = requestIDs.next()
        error.log(requestID: requestID, path: "/verify-auth", to: logger)
        var answer = Answer(error, requestID: requestID)
        answer.headers.append(HTTPField(name: .xRequestID, value: requestID))
        return answer
    }

    /// Adds the fields that every answer of the public port has.
    func finish(_ headers: inout HTTPFields, origin: String?) {
        cors.apply(to: &headers, origin: origin)
    }
}
