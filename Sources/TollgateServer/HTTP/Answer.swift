import HTTPTypes
import JSONValue
import NIOCore
import TollgateCore

/// A whole answer with a JSON body, whichever side of the server writes it.
struct Answer {
    let status: HTTPResponse.Status
    var headers: HTTPFields
    let body: ByteBuffer

    /// For the operator's log. Nil for what is no fault of ours.
    let cause: String?

    init(status: HTTPResponse.Status = .ok, json: JSON, headers: HTTPFields = [:], cause: String? = nil) {
        self.status = status
        self.headers = headers
        self.cause = cause
        body = ByteBuffer(string: json.text)
        self.headers.append(Self.jsonContentType)
        self.headers.append(HTTPField(name: .contentLength, value: String(body.readableBytes)))
    }

    init(_ error: APIError, requestID: String) {
        self.init(
            status: error.status, json: error.body(requestID: requestID), headers: error.headers, cause: error.cause)
    }

    /// Of `POST /verify-auth`: who the caller is and where their quota stands, this call included.
    init(verified admitted: Admitted) {
        self.init(
            json: [
                "success": true, "userId": .string(admitted.principal.userID.value), "usage": admitted.usage.json,
            ],
            headers: admitted.rateLimitHeaders)
    }

    private static let jsonContentType = HTTPField(name: .contentType, value: "application/json")
}
